// Reads one float past the dynamic shared memory of a launch: AddressSanitizer must end the program.
#include <cstdio>

#include "shim.h"

int main() {
    float sum = 0.0f;
    effconv::host::launch(dim3(1), dim3(4), 4 * sizeof(float), [&] {
        EC_DYN_SHARED(float, values);
        values[threadIdx.x] = 1.0f;
        __syncthreads();
        sum += values[threadIdx.x + 1];
    });
    std::printf("not seen: %g\n", sum);
    return 0;
}
