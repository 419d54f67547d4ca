/**
 * Files: safetensors, JSON, sizes.json, locks, and writing that is whole or not at all. What has to survive a kill is
 * written through {@link org.effconv.io.AtomicFile} or, where it grows, {@link org.effconv.io.JsonLines}; keep to
 * these. What a model file holds is not known here but in {@code train.ModelFile}.
 */
package org.effconv.io;
