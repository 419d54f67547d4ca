# Writes the manifest with the commit of the checkout. Inputs: WRITER, SOURCE_DIR, OUTPUT.
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
execute_process(COMMAND ${WRITER} ${commit} ${OUTPUT} COMMAND_ERROR_IS_FATAL ANY)
