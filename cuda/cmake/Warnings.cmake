# Warnings for all C++ of this folder and below; none of them passes. With another compiler than the one that the project is built
# with, -DEFFCONV_WERROR=OFF lets them.
option(EFFCONV_WERROR "a warning of the C++ compiler is an error" ON)
set(EFFCONV_WARNINGS -Wall -Wextra -Wpedantic -Wcast-align -Wcast-qual -Wnon-virtual-dtor -Wundef)
if(EFFCONV_WERROR)
  list(APPEND EFFCONV_WARNINGS -Werror)
endif()
add_compile_options("$<$<COMPILE_LANGUAGE:CXX>:${EFFCONV_WARNINGS}>")
