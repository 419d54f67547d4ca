/**
 * Measured time: tables of how long layers take on one device, and what budgets of time are counted by. A table is
 * bound to the device, network and batch it was measured with, and refuses others. Begin with
 * {@link org.effconv.latency.LatencyTable}; the cost that it gives is in {@code org.effconv.cost}.
 */
package org.effconv.latency;
