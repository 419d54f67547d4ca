// What single instructions do: votes, asynchronous copies, matrix loads and products.
#include "async_copies.h"
#include "shim.h"

namespace effconv::host {

unsigned ballot(const char* name, unsigned mask, int predicate, const char* file, int line) {
    VoteArgument argument{predicate != 0, 0};
    warpCollective(
        name, mask, &argument,
        [](void* const* arguments, unsigned) {
            unsigned bits = 0;
            for (int lane = 0; lane < 32; ++lane) {
                if (arguments[lane]) bits |= static_cast<VoteArgument*>(arguments[lane])->predicate << lane;
            }
            for (int lane = 0; lane < 32; ++lane) {
                if (arguments[lane]) static_cast<VoteArgument*>(arguments[lane])->ballot = bits;
            }
        },
        file, line);
    return argument.ballot;
}

void asyncCopy(void* destination, const void* source, int bytes, int sourceBytes, const char* file, int line) {
    const auto misaligned = (reinterpret_cast<std::uintptr_t>(destination) | reinterpret_cast<std::uintptr_t>(source)) &
                            static_cast<std::uintptr_t>(bytes - 1);
    if (misaligned != 0) fault("cp.async: address is not a multiple of its size", file, line);
    if (sourceBytes < 0 || sourceBytes > bytes) fault("cp.async: source size out of range", file, line);
    asyncCopies().start(destination, source, bytes, sourceBytes);
}

void asyncCommit() {
    asyncCopies().commit();
}

void asyncWait(int newestGroupsLeft) {
    asyncCopies().wait(newestGroupsLeft);
}

void combineLdmatrix(void* const* arguments, unsigned) {
    LdmatrixArgument* lanes[32];
    for (int lane = 0; lane < 32; ++lane) lanes[lane] = static_cast<LdmatrixArgument*>(arguments[lane]);
    const int matrices = lanes[0]->matrices;
    for (int matrix = 0; matrix < matrices; ++matrix) {
        std::uint16_t element[8][8];
        for (int row = 0; row < 8; ++row) std::memcpy(element[row], lanes[matrix * 8 + row]->row, 16);
        for (int lane = 0; lane < 32; ++lane) {
            const int i = lane / 4;
            const int j = lane % 4 * 2;
            const bool transposed = lanes[0]->transposed;
            const std::uint32_t low = transposed ? element[j][i] : element[i][j];
            const std::uint32_t high = transposed ? element[j + 1][i] : element[i][j + 1];
            lanes[lane]->registers[matrix] = low | high << 16;
        }
    }
}

void combineMmaBf16(void* const* arguments, unsigned) {
    float a[16][16], b[16][8];
    for (int lane = 0; lane < 32; ++lane) {
        const auto& argument = *static_cast<MmaArgument*>(arguments[lane]);
        const int group = lane / 4;
        const int column = lane % 4 * 2;
        for (int r = 0; r < 4; ++r) {
            const int row = group + (r & 1) * 8;
            const int k = column + (r >> 1) * 8;
            a[row][k] = floatFromBf16(static_cast<std::uint16_t>(argument.a[r]));
            a[row][k + 1] = floatFromBf16(static_cast<std::uint16_t>(argument.a[r] >> 16));
        }
        for (int r = 0; r < 2; ++r) {
            b[column + r * 8][group] = floatFromBf16(static_cast<std::uint16_t>(argument.b[r]));
            b[column + r * 8 + 1][group] = floatFromBf16(static_cast<std::uint16_t>(argument.b[r] >> 16));
        }
    }
    float product[16][8] = {};
    for (int i = 0; i < 16; ++i) {
        for (int k = 0; k < 16; ++k) {
            for (int j = 0; j < 8; ++j) product[i][j] += a[i][k] * b[k][j];
        }
    }
    for (int lane = 0; lane < 32; ++lane) {
        float* d = static_cast<MmaArgument*>(arguments[lane])->accumulator;
        const int group = lane / 4;
        const int column = lane % 4 * 2;
        d[0] += product[group][column];
        d[1] += product[group][column + 1];
        d[2] += product[group + 8][column];
        d[3] += product[group + 8][column + 1];
    }
}

}  // namespace effconv::host
