/**
 * What is timed, how it is timed, and how near it comes to what the device can do at best. Shapes and the counting of
 * operations are those of cuda/bench/cases.cpp, and tests/bench/floors.csv holds both sides to it: change them
 * together. Begin with {@link org.effconv.benchmark.KernelBenchmark} and {@link org.effconv.benchmark.StepBenchmark}.
 */
package org.effconv.benchmark;
