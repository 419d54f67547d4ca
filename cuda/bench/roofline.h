// The device's own limits, measured: what a kernel of this library could reach at best on this card.
#pragma once

#include "cases.h"

namespace effconv::bench {

/// Copy bandwidth (device to device, bytes read plus bytes written), mma.sync bf16 with fp32 sums and FFMA, both from
/// registers alone; the median of five runs each. mma.sync is the path of these kernels; on cards with wgmma, library
/// kernels reach more.
Rates measureRates(int multiprocessors);

}  // namespace effconv::bench
