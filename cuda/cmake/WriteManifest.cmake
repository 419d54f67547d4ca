# Writes the manifest with the commit of the checkout and nvcc's version. Inputs: WRITER, SOURCE_DIR, OUTPUT, NVCC, TARGETS (list).
set(commit "unknown")
find_program(git git)
if(git)
  execute_process(
    COMMAND ${git} -C ${SOURCE_DIR} describe --always --dirty --abbrev=12
    RESULT_VARIABLE status OUTPUT_VARIABLE found OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(status EQUAL 0)
    set(commit ${found})
  endif()
endif()
execute_process(COMMAND ${NVCC} --version OUTPUT_VARIABLE described COMMAND_ERROR_IS_FATAL ANY)
if(NOT described MATCHES "release ([0-9]+\\.[0-9]+)")
  message(FATAL_ERROR "${NVCC} --version names no release:\n${described}")
endif()
execute_process(COMMAND ${WRITER} ${commit} ${CMAKE_MATCH_1} ${OUTPUT} ${TARGETS} COMMAND_ERROR_IS_FATAL ANY)
