/**
 * The operations on an NVIDIA card: each asks the native library for a plan of launches, and {@code Launcher} runs it.
 * Operands arrive checked; everything of JCuda stays behind {@code Driver} and its neighbours, which tests replace, and
 * no operation may wait for the card unless it reads. Start at {@link org.effconv.backend.cuda.CudaBackend} and
 * {@code CudaSession}, and go on to native/launch/ for plans and cuda/kernels/ for kernels.
 */
package org.effconv.backend.cuda;
