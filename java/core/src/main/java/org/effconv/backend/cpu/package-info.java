/**
 * The operations on a processor: the project's own through native/effconv.h, convolutions and linear layers mostly
 * through oneDNN. Operands arrive checked, so a class here computes and no more; what oneDNN does wrong is a row of
 * {@code OneDnnFault}, and oneDNN's types stay inside. Start at {@link org.effconv.backend.cpu.CpuBackend}, and go on
 * to native/cpu/ for the code that runs.
 */
package org.effconv.backend.cpu;
