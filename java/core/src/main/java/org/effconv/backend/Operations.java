package org.effconv.backend;

/** What a backend computes with: operations that trust their operands, one object per family. */
public record Operations(
        DataOperations data,
        ConvolutionOperations convolutions,
        LinearOperations linear,
        NetworkOperations network,
        OptimizerOperations optimizer,
        MethodOperations method,
        MaskArithmetic mask) {}
