/**
 * A baseline in the manner of FlexConv (arXiv 2110.08059): continuous kernels under Gaussian masks of learned width. It
 * serves the method {@code flexconv} of a sweep alone, and what it takes over and what not stands in
 * docs/reference/sweeps.md. {@link org.effconv.flexconv.ContinuousKernels} is a source of weights like that of a
 * search; {@code MagNet} has its formulas.
 */
package org.effconv.flexconv;
