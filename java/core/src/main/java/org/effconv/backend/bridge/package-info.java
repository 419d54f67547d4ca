/**
 * The way from Java into the native library: its loading, its status codes, its tables of layers, and the arithmetic
 * that the host asks it for. {@code NativeLibrary} is generated from native/effconv.h and native/effconv_launch.h:
 * change those headers, not it; only {@code .cpu} and {@code .cuda} may use what lives here. Go on to native/ for the
 * other side, and to cuda/include/effconv/ for the formulas.
 */
package org.effconv.backend.bridge;
