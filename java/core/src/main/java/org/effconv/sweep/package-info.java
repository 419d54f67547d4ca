/**
 * Many runs and their comparison: the plan, the results file, the tables. Nothing of the library uses this package, and
 * a row of results.jsonl is a format that others read (docs/reference/sweeps.md), so change it with care. Begin with
 * {@link org.effconv.sweep.SweepPlan}; {@link org.effconv.sweep.Sweep} works through it,
 * {@link org.effconv.sweep.Comparison} compares.
 */
package org.effconv.sweep;
