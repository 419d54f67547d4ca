/**
 * Reverse-mode differentiation of one step: a tape, its variables, and the operations that record themselves. A new
 * operation goes into {@link org.effconv.autodiff.Ops}, as a call of {@code Backend} with its gradient beside it.
 * {@link org.effconv.autodiff.Tape} says how long its tensors live; the package {@code nn} builds networks of these
 * operations.
 */
package org.effconv.autodiff;
