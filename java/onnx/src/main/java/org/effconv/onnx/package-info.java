/**
 * Trained networks as ONNX models, in a module of its own so that {@code effconv-core} needs no protobuf.
 * {@link org.effconv.onnx.OnnxExport} is for users; how an operation is written down stands in {@code OnnxGraph} alone.
 * What it listens to is {@link org.effconv.nn.model.NetworkOperations}, which a plan tells what its network computes.
 */
package org.effconv.onnx;
