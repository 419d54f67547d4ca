/**
 * Trained networks for Python: {@link org.effconv.export.SafetensorsExport} writes the weights alone,
 * {@link org.effconv.export.PytorchExport} and {@link org.effconv.export.KerasExport} a program beside them.
 * {@link org.effconv.export.PortableModel} is what every export begins with, that to ONNX included. The programs hear
 * of a network's operations as {@link org.effconv.nn.model.NetworkOperations}; {@code Statements} makes lines of them.
 */
package org.effconv.export;
