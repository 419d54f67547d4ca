/**
 * What the library throws on purpose. A subclass of {@link org.effconv.error.EffconvException} says what a caller can
 * do about it: mend the input, free memory, restart, install something. Wrong input is always {@code InvalidInput},
 * which the command line turns into exit code 2; tests/endtoend has the list in {@code BadInputTest}.
 */
package org.effconv.error;
