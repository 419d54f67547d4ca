/**
 * The tensor operations as models, losses and searches see them: {@link org.effconv.backend.Backend}, made of one
 * interface for each family of operations. {@link org.effconv.backend.CheckedBackend} stands in front of every device:
 * a new operation gets its check there, and nothing in here may know a device or native code. Go on to {@code .bridge}
 * for the native library, and to {@code .cpu} and {@code .cuda} for the operations themselves.
 */
package org.effconv.backend;
