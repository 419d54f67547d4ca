/**
 * The command line: one class per command, and {@link org.effconv.cli.Effconv}, which puts them together. Options that
 * are settings come out of the table in {@code Settings}; what is an option of one command alone stands in its class.
 * Begin with {@code RunCommand}, which {@code learn}, {@code train} and {@code search} share, and with
 * {@code SettingOptions}.
 */
package org.effconv.cli;
