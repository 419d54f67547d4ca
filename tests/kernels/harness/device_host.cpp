#include <cstdlib>
#include <new>

#include "device.h"
#include "shim.h"

namespace effconv::test {

bool openDevice(std::string& description) {
    description = "host shim";
    return true;
}

DeviceLimits deviceLimits() {
    return {232448, 2147483647, 132};
}

void* deviceAllocate(std::size_t bytes) {
    void* pointer = nullptr;
    if (posix_memalign(&pointer, 256, bytes == 0 ? 1 : bytes) != 0) throw std::bad_alloc();
    return pointer;
}
void deviceFree(void* pointer) {
    std::free(pointer);
}
void copyToDevice(void* destination, const void* source, std::size_t bytes) {
    if (bytes > 0) std::memcpy(destination, source, bytes);
}
void copyFromDevice(void* destination, const void* source, std::size_t bytes) {
    if (bytes > 0) std::memcpy(destination, source, bytes);
}
void synchronize() {}

void setThreadOrderNumber(int order) {
    host::setThreadOrder(order == 0   ? host::ThreadOrder::kForward
                         : order == 1 ? host::ThreadOrder::kReverse
                                      : host::ThreadOrder::kSeeded,
                         42);
}

}  // namespace effconv::test
