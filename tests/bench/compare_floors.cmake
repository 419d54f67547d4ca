# The floors of all suites against the file that holds them. Inputs: BENCH, EXPECTED, GOT. After a wanted change:
#   effconv_kernel_bench --floors --suite all --csv tests/bench/floors.csv
execute_process(COMMAND ${BENCH} --floors --suite all --csv ${GOT} OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} -E compare_files ${EXPECTED} ${GOT} COMMAND_ERROR_IS_FATAL ANY)
