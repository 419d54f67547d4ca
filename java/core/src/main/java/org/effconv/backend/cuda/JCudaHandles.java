package org.effconv.backend.cuda;

import java.util.HashMap;
import java.util.Map;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUmemoryPool;
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

    /**
     * A memory pool. JCuda 12.6.0's cuMemPoolCreate fills its handle as it fills a {@link Pointer}: behind the address
     * it writes a byte offset, for which a {@link CUmemoryPool} has no field, so that the zero lands in the header of
     * the next object of Java's heap, and whoever locks that object waits for ever. The field here stands where a
     * Pointer has its own.
     */
    static final class Pool extends CUmemoryPool {
        private long byteOffset = UNTOUCHED;

        static final long UNTOUCHED = 0x5a5a5a5a5a5a5a5aL;

        /** Whether JCuda wrote behind the address. */
        boolean writtenBehind() {
            return byteOffset != UNTOUCHED;
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
