// The shim itself: what works on a GPU works here, what is wrong on a GPU is noticed here.
#include <cmath>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "device.h"
#include "effconv/device.h"

using namespace effconv;
using namespace effconv::test;

namespace {

/// Runs body in all three orders and returns the messages of the faults.
std::string faultOf(unsigned threads, std::size_t shared, const std::function<void()>& body) {
    std::string message;
    forEachThreadOrder([&](int) {
        try {
            host::launch(dim3(1), dim3(threads), shared, body);
        } catch (const host::KernelFault& fault) {
            message = fault.what();
        }
    });
    return message;
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

/// Sum of 128 numbers by a tree in shared memory; the barrier is left out on demand.
void treeSum(const float* in, float* out, bool dropBarrier) {
    EC_DYN_SHARED(float, values);
    const int t = static_cast<int>(threadIdx.x);
    values[t] = in[t];
    for (int half = 64; half > 0; half /= 2) {
        if (!dropBarrier) __syncthreads();
        if (t < half) values[t] += values[t + half];
    }
    if (t == 0) *out = values[0];
}

/// Each thread copies 16 bytes of another thread's share asynchronously and reads its own.
void asyncRotate(const float* in, float* out, bool dropWait, int sourceBytes) {
    EC_DYN_SHARED(float, values);
    const int t = static_cast<int>(threadIdx.x);
    const int other = (t + 7) % 32;
    cpAsync16(values + 4 * other, in + 4 * other, sourceBytes);
    cpAsyncCommit();
    if (!dropWait) cpAsyncWait<0>();
    __syncthreads();
    for (int i = 0; i < 4; ++i) out[4 * t + i] = values[4 * t + i];
}

}  // namespace

EC_TEST(tree_sum_and_dropped_barrier) {
    std::vector<float> in(128);
    for (int i = 0; i < 128; ++i) in[i] = static_cast<float>(i + 1);
    bool caught = false;
    forEachThreadOrder([&](int) {
        float out = 0;
        host::launch(dim3(1), dim3(128), 128 * sizeof(float), [&] { treeSum(in.data(), &out, false); });
        EC_CHECK(out == 128.0f * 129.0f / 2.0f);
        host::launch(dim3(1), dim3(128), 128 * sizeof(float), [&] { treeSum(in.data(), &out, true); });
        caught = caught || out != 128.0f * 129.0f / 2.0f;
    });
    EC_CHECK(caught);
}

EC_TEST(async_copy_and_dropped_wait) {
    Random random(1);
    const std::vector<float> in = randomValues(128, random, false);
    forEachThreadOrder([&](int) {
        std::vector<float> out(128);
        host::launch(dim3(1), dim3(32), 512, [&] { asyncRotate(in.data(), out.data(), false, 16); });
        EC_CHECK(out == in);
        host::launch(dim3(1), dim3(32), 512, [&] { asyncRotate(in.data(), out.data(), false, 4); });
        EC_CHECK(out[0] == in[0] && out[1] == 0.0f && out[127] == 0.0f);
        host::launch(dim3(1), dim3(32), 512, [&] { asyncRotate(in.data(), out.data(), true, 16); });
        EC_CHECK(std::isnan(out[0]) && std::isnan(out[127]));
    });
}

EC_TEST(async_groups_complete_in_order) {
    const float in[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    bool olderThere = false, youngerMissing = false;
    host::launch(dim3(1), dim3(1), 32, [&] {
        EC_DYN_SHARED(float, values);
        cpAsync16(values, in);
        cpAsyncCommit();
        cpAsync16(values + 4, in + 4);
        cpAsyncCommit();
        cpAsyncWait<1>();
        olderThere = values[0] == 1.0f;
        youngerMissing = std::isnan(values[4]);
    });
    EC_CHECK(olderThere && youngerMissing);
}

// The bodies stand outside EC_CHECK: within a macro's arguments all lines have one number, and places would look alike.
EC_TEST(divergent_barriers_are_faults) {
    const std::string otherPlace = faultOf(64, 0, [] {
        if (threadIdx.x < 32) {
            __syncthreads();
        } else {
            __syncthreads();
        }
    });
    EC_CHECK(contains(otherPlace, "divergent barrier") && contains(otherPlace, "shim_test.cpp:"));
    EC_CHECK(contains(otherPlace, "thread (") && contains(otherPlace, "block (0, 0, 0)"));
    const std::string leftOut = faultOf(64, 0, [] {
        if (threadIdx.x != 5) __syncthreads();
    });
    EC_CHECK(contains(leftOut, "divergent barrier"));
    const std::string elsewhere = faultOf(64, 0, [] {
        if (threadIdx.x < 40) {
            __syncthreads();
        } else {
            __syncwarp();
        }
    });
    EC_CHECK(contains(elsewhere, "divergent"));
}

EC_TEST(divergent_collectives_are_faults) {
    const std::string leftOut = faultOf(32, 0, [] {
        if (threadIdx.x < 16) __shfl_sync(0xffffffffu, 1, 0);
    });
    EC_CHECK(contains(leftOut, "divergent warp"));
    const std::string otherPlace = faultOf(32, 0, [] {
        if (threadIdx.x < 16) {
            __shfl_sync(0xffffffffu, 1, 0);
        } else {
            __shfl_sync(0xffffffffu, 2, 0);
        }
    });
    EC_CHECK(contains(otherPlace, "divergent warp") && contains(otherPlace, "__shfl_sync at"));
    const std::string notInMask = faultOf(32, 0, [] { __shfl_sync(0x0000ffffu, 1, 0); });
    EC_CHECK(contains(notInMask, "not in its own mask"));
    const std::string idleLane = faultOf(32, 0, [] {
        if (threadIdx.x < 16) __shfl_sync(0x0000ffffu, 1, 20, 32);
    });
    EC_CHECK(contains(idleLane, "lane 20"));
}

EC_TEST(shuffles_and_votes) {
    forEachThreadOrder([&](int) {
        std::vector<int> sum(48), up(48), down(48), group(48), count(48);
        std::vector<unsigned> votes(48);
        host::launch(dim3(1), dim3(48), 0, [&] {
            const int t = static_cast<int>(threadIdx.x);
            int value = t;
            if (t < 32) {
                for (int mask = 16; mask > 0; mask /= 2) value += __shfl_xor_sync(0xffffffffu, value, mask);
            }
            sum[t] = value;
            up[t] = __shfl_up_sync(0xffffffffu, t, 1);
            down[t] = __shfl_down_sync(0xffffffffu, t, 2, 8);
            group[t] = __shfl_sync(0xffffffffu, t, 3, 4);
            votes[t] = __ballot_sync(0xffffffffu, t % 3 == 0);
            count[t] = __syncthreads_count(t % 2);
        });
        EC_CHECK(sum[0] == 496 && sum[31] == 496);
        EC_CHECK(up[0] == 0 && up[31] == 30 && up[40] == 39);
        EC_CHECK(down[5] == 7 && down[6] == 6 && down[7] == 7);
        EC_CHECK(group[0] == 3 && group[30] == 31);
        EC_CHECK(votes[0] == 0x49249249u && votes[40] == 0x2492u);
        EC_CHECK(count[0] == 24);
    });
}

EC_TEST(bf16_product_matches_fp64) {
    Random random(7);
    const std::vector<float> a = randomValues(16 * 16, random, true);
    const std::vector<float> b = randomValues(16 * 8, random, true);
    std::vector<float> d(16 * 8);
    forEachThreadOrder([&](int) {
        host::launch(dim3(1), dim3(32), 16 * 16 * 2 + 16 * 8 * 2, [&] {
            EC_DYN_SHARED(std::uint16_t, as);
            std::uint16_t* bs = as + 256;
            const int t = static_cast<int>(threadIdx.x);
            for (int i = t; i < 256; i += 32) as[i] = bf16FromFloat(a[i]);
            for (int i = t; i < 128; i += 32) bs[i] = bf16FromFloat(b[i]);
            __syncwarp();
            std::uint32_t fragmentA[4], fragmentB[2];
            ldmatrixX4(fragmentA, as + (t % 16) * 16 + t / 16 * 8);
            ldmatrixX2Trans(fragmentB, bs + (t % 16) * 8);
            float sum[4] = {1, 1, 1, 1};
            mmaBf16(sum, fragmentA, fragmentB);
            for (int r = 0; r < 4; ++r) d[(t / 4 + r / 2 * 8) * 8 + t % 4 * 2 + r % 2] = sum[r];
        });
        std::vector<double> want(16 * 8), magnitude(16 * 8);
        for (int i = 0; i < 16; ++i) {
            for (int j = 0; j < 8; ++j) {
                want[i * 8 + j] = magnitude[i * 8 + j] = 1;
                for (int k = 0; k < 16; ++k) {
                    const double term = static_cast<double>(a[i * 16 + k]) * b[k * 8 + j];
                    want[i * 8 + j] += term;
                    magnitude[i * 8 + j] += std::fabs(term);
                }
            }
        }
        checkClose("mma", d, want, magnitude, kFp32Tolerance);
    });
}

EC_TEST(untouched_shared_memory_is_poison) {
    float value = 0;
    host::launch(dim3(2), dim3(1), 4, [&] {
        EC_DYN_SHARED(float, values);
        value = values[0];
        values[0] = 3.0f;
    });
    EC_CHECK(std::isnan(value));
}

EC_TEST(bad_launches_and_misaligned_copies_are_faults) {
    EC_CHECK(contains(faultOf(1025, 0, [] {}), "launch refused"));
    EC_CHECK(contains(faultOf(32, 400000, [] {}), "launch refused"));
    const float in[8] = {};
    EC_CHECK(contains(faultOf(1, 64,
                              [&] {
                                  EC_DYN_SHARED(float, values);
                                  cpAsync16(values + 1, in);
                              }),
                      "cp.async"));
    EC_CHECK(contains(faultOf(32, 1024,
                              [] {
                                  EC_DYN_SHARED(std::uint16_t, values);
                                  std::uint32_t registers[2];
                                  ldmatrixX2(registers, values + 1);
                              }),
                      "ldmatrix"));
}

EC_TEST(grid_block_and_thread_indices) {
    std::vector<int> seen(2 * 3 * 4 * 5 * 6, 0);
    forEachThreadOrder([&](int) {
        host::launch(dim3(2, 3), dim3(4, 5, 6), 0, [&] {
            const unsigned block = blockIdx.x + gridDim.x * blockIdx.y;
            const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
            ++seen[block * 120 + thread];
        });
    });
    for (int count : seen) EC_CHECK(count == 3);
}
