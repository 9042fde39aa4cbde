"""The experiments, by the name the command line knows.  One module each:

    cases(preset, workload)        what a session measures
    expected_s(case, guess)        about how long that takes
    measure(bench, case)           measures it, yielding records
"""

from compare.experiments import fractional, overhead, throughput

EXPERIMENTS = {
    "throughput": throughput,
    "overhead": overhead,
    "fractional": fractional,
}
