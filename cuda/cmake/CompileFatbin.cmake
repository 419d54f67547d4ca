# Compiles one .cu file to a fatbin and keeps ptxas' report. Inputs: NVCC, FLAGS (list), SOURCE, FATBIN, REPORT.
string(REGEX REPLACE "\\.fatbin$" ".d" depfile "${FATBIN}")
execute_process(
  COMMAND ${NVCC} ${FLAGS} -fatbin -MD -MT ${FATBIN} -MF ${depfile} -o ${FATBIN} ${SOURCE}
  RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE report)
file(WRITE ${REPORT} "${output}${report}")
string(REGEX MATCHALL "[^\n]*(error|warning)[^\n]*\n" notices "${report}")
if(notices)
  string(JOIN "" text ${notices})
  message("${text}")
endif()
if(NOT status EQUAL 0)
  file(REMOVE ${FATBIN})
  message(FATAL_ERROR "nvcc failed on ${SOURCE}:\n${report}")
endif()
