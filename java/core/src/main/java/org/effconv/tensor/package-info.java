/**
 * Blocks of device memory with a type and a shape. The package knows no backend: memory comes from an
 * {@link org.effconv.tensor.Allocator}, which a backend hands out, and whoever owns a tensor closes it. A step's own
 * tensors are taken from an {@link org.effconv.tensor.Arena} and given back together.
 */
package org.effconv.tensor;
