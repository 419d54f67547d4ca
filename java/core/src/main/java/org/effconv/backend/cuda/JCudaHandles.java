package org.effconv.backend.cuda;

import java.util.HashMap;
import java.util.Map;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUstream;

/** Numbers for JCuda's pointer objects, which keep theirs to themselves. */
final class JCudaHandles {
    private JCudaHandles() {}

    /** A device address. */
    static final class Device extends CUdeviceptr {
        /** To be filled by an allocation. */
        Device() {}

        Device(long address) {
            super(new CUdeviceptr(), address);
        }

        long address() {
            return getNativePointer() + getByteOffset();
        }
    }

    /** A host address. */
    static final class Host extends Pointer {
        /** To be filled by an allocation. */
        Host() {}

        Host(long address) {
            super(address);
        }

        long address() {
            return getNativePointer();
        }
    }

    /** A stream, whose own handle libraries of the process take. */
    static final class Stream extends CUstream {
        long handle() {
            return getNativePointer();
        }
    }

    /** Objects of one kind under numbers of our own. */
    static final class Table<T> {
        private final Map<Long, T> objects = new HashMap<>();
        private long last;

        synchronized long add(T object) {
            objects.put(++last, object);
            return last;
        }

        synchronized T get(long handle) {
            T object = objects.get(handle);
            if (object == null) {
                throw new IllegalStateException("handle " + handle + " is not open");
            }
            return object;
        }

        synchronized T remove(long handle) {
            T object = get(handle);
            objects.remove(handle);
            return object;
        }
    }
}
