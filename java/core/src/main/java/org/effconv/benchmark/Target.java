package org.effconv.benchmark;

import org.effconv.backend.Backend;

/**
 * A side of a comparison.
 *
 * @param name "cpu", "own", "cudnn"
 */
public record Target(String name, Backend backend) {}
