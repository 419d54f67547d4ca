# effconv_kernel_family(<name> [FAULTS <fault>...]) registers a kernel family; effconv_finish_kernel_families() builds all.

set(EC_FAMILIES "")

macro(effconv_kernel_family name)
  cmake_parse_arguments(EC_ARG "" "" "FAULTS" ${ARGN})
  list(APPEND EC_FAMILIES ${name})
  set(EC_FAULTS_${name} ${EC_ARG_FAULTS})
endmacro()

# A C++ file that includes the .cu file: g++ compiles it through the shim, and no source property is needed.
function(effconv_host_source name out)
  set(file ${CMAKE_CURRENT_BINARY_DIR}/host/${name}.cpp)
  file(CONFIGURE OUTPUT ${file} CONTENT "#include \"${EC_CUDA_DIR}/kernels/${name}.cu\"\n")
  set(${out} ${file} PARENT_SCOPE)
endfunction()

# What the kernels and the headers that plan their launches are made of, as one short name: two builds with the same
# name agree in every kernel, table and constant. Configured anew when one of the files changes.
function(effconv_name_kernel_sources out)
  file(GLOB_RECURSE files RELATIVE ${EC_CUDA_DIR} ${EC_CUDA_DIR}/include/*.h ${EC_CUDA_DIR}/include/*.cuh
    ${EC_CUDA_DIR}/kernels/*.cu ${EC_CUDA_DIR}/kernels/*.cuh)
  list(SORT files)
  set(all "")
  foreach(file IN LISTS files)
    file(SHA256 ${EC_CUDA_DIR}/${file} digest)
    string(APPEND all "${file} ${digest}\n")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${EC_CUDA_DIR}/${file})
  endforeach()
  string(SHA256 name "${all}")
  string(SUBSTRING ${name} 0 16 name)
  set(${out} ${name} PARENT_SCOPE)
endfunction()

function(effconv_generate_tables)
  effconv_name_kernel_sources(EC_KERNEL_SOURCES)
  set(EC_FAMILY_INCLUDES "")
  set(EC_FAMILY_SIGNATURES "")
  set(EC_FAMILY_TABLES "")
  set(EC_FAMILY_TABLE_LOOPS "")
  foreach(family IN LISTS EC_FAMILIES)
    string(APPEND EC_FAMILY_INCLUDES "#include \"effconv/kernels/${family}.h\"\n")
    string(APPEND EC_FAMILY_SIGNATURES
      "#define EC_ROW(kernel, Parameters) {#kernel, \"${family}\", sizeof(Parameters)},\n"
      "        EC_KERNELS_${family}(EC_ROW)\n#undef EC_ROW\n")
    string(APPEND EC_FAMILY_TABLES
      "extern const KernelEntry kernelsOf_${family}[];\nextern const int kernelCountOf_${family};\n")
    string(APPEND EC_FAMILY_TABLE_LOOPS
      "        for (int i = 0; i < kernelCountOf_${family}; ++i) all.push_back(&kernelsOf_${family}[i]);\n")
  endforeach()
  configure_file(src/kernel_signatures.cpp.in kernel_signatures.cpp @ONLY)
  configure_file(src/kernel_registry.cpp.in kernel_registry.cpp @ONLY)
endfunction()

function(effconv_finish_kernel_families)
  effconv_generate_tables()

  add_library(effconv_kernel_headers INTERFACE)
  target_include_directories(effconv_kernel_headers INTERFACE ${EC_CUDA_DIR}/include)

  # Manifest and handshake: what a user of the device code links; needs no CUDA.
  add_library(effconv_kernel_manifest STATIC EXCLUDE_FROM_ALL src/kernel_manifest.cpp ${CMAKE_CURRENT_BINARY_DIR}/kernel_signatures.cpp)
  target_link_libraries(effconv_kernel_manifest PUBLIC effconv_kernel_headers)

  # The shim and the kernels on the host.
  add_library(effconv_shim STATIC EXCLUDE_FROM_ALL host/shim.cpp host/shim_ptx.cpp)
  target_include_directories(effconv_shim PUBLIC ${EC_CUDA_DIR}/host)
  target_link_libraries(effconv_shim PUBLIC effconv_kernel_headers)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # A kernel that reads four floats as a float4 where they are aligned, and one by one where they are not, loses that
    # distinction at -O3: GCC 12 merges the two paths, then joins the four reads under the alignment of the first.
    target_compile_options(effconv_shim PUBLIC -fno-tree-slp-vectorize -Wno-unknown-pragmas)
  endif()
  set(sources ${CMAKE_CURRENT_BINARY_DIR}/kernel_registry.cpp)
  foreach(family IN LISTS EC_FAMILIES)
    effconv_host_source(${family} source)
    list(APPEND sources ${source})
  endforeach()
  add_library(effconv_kernels_host STATIC EXCLUDE_FROM_ALL ${sources})
  target_link_libraries(effconv_kernels_host PUBLIC effconv_shim)
  # FFMA is one rounding on the device; a contraction chosen by the host compiler would be no closer to it.
  target_compile_options(effconv_kernels_host PRIVATE -ffp-contract=off)

  # The same as a shared library with a C interface, for tests in another language. Only that interface is exported.
  add_library(effconv_kernels_host_shared SHARED EXCLUDE_FROM_ALL host/effconv_host_run.cpp)
  target_link_libraries(effconv_kernels_host_shared PRIVATE effconv_kernels_host)
  target_link_options(effconv_kernels_host_shared PRIVATE LINKER:--exclude-libs,ALL)
  set_target_properties(effconv_kernels_host_shared PROPERTIES OUTPUT_NAME effconv_kernels_host CXX_VISIBILITY_PRESET hidden)

  # The kernels on the host behind the names of the driver API, for tests of what calls that: a libcuda.so.1 of its own folder.
  add_library(effconv_standin_cuda SHARED EXCLUDE_FROM_ALL ${EC_CUDA_DIR}/../tests/hostdriver/standin/standin_cuda.cpp)
  target_link_libraries(effconv_standin_cuda PRIVATE effconv_kernels_host)
  target_link_options(effconv_standin_cuda PRIVATE LINKER:--exclude-libs,ALL)
  set_target_properties(effconv_standin_cuda PROPERTIES OUTPUT_NAME cuda SOVERSION 1 CXX_VISIBILITY_PRESET hidden
    LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/standin)

  add_executable(effconv_write_manifest EXCLUDE_FROM_ALL src/write_manifest.cpp)
  target_link_libraries(effconv_write_manifest PRIVATE effconv_kernel_manifest)

  set(EC_NVCC "")
  if(NOT EFFCONV_CUDA STREQUAL "OFF")
    include(CheckLanguage)
    check_language(CUDA)
    if(CMAKE_CUDA_COMPILER)
      set(EC_NVCC ${CMAKE_CUDA_COMPILER})
    elseif(EFFCONV_CUDA STREQUAL "ON")
      message(FATAL_ERROR "EFFCONV_CUDA=ON, but no nvcc was found; set CUDACXX or CMAKE_CUDA_COMPILER to its path")
    endif()
  endif()
  if(EC_NVCC)
    effconv_add_device_code()
  else()
    message(STATUS "effconv: no device code (fatbins, ptxas table): nvcc "
      "was not found or EFFCONV_CUDA is OFF. The kernels still build and run on the host.")
  endif()
  set(EC_NVCC "${EC_NVCC}" PARENT_SCOPE)
endfunction()

# One fatbin per family, its ptxas report, the gate over all reports, and the manifest, in <build>/device/.
function(effconv_add_device_code)
  set(flags -std=c++17 -O3 -Xptxas -v -Xfatbin -compress-all -I ${EC_CUDA_DIR}/include)
  foreach(target IN LISTS EFFCONV_CUDA_TARGETS)
    list(APPEND flags -gencode arch=compute_${target},code=sm_${target})
    set(newest ${target})
  endforeach()
  list(APPEND flags -gencode arch=compute_${newest},code=compute_${newest})
  set(device ${CMAKE_CURRENT_BINARY_DIR}/device)
  file(MAKE_DIRECTORY ${device})
  set(fatbins "")
  set(reports "")
  foreach(family IN LISTS EC_FAMILIES)
    add_custom_command(
      OUTPUT ${device}/${family}.fatbin ${device}/${family}.ptxas
      COMMAND ${CMAKE_COMMAND} "-DNVCC=${EC_NVCC}" "-DFLAGS=${flags}" -DSOURCE=${EC_CUDA_DIR}/kernels/${family}.cu
              -DFATBIN=${device}/${family}.fatbin -DREPORT=${device}/${family}.ptxas
              -P ${EC_CUDA_DIR}/cmake/CompileFatbin.cmake
      DEPENDS ${EC_CUDA_DIR}/kernels/${family}.cu ${EC_CUDA_DIR}/cmake/CompileFatbin.cmake
      DEPFILE ${device}/${family}.d
      COMMENT "nvcc: ${family}.fatbin" VERBATIM)
    list(APPEND fatbins ${device}/${family}.fatbin)
    list(APPEND reports ${device}/${family}.ptxas)
  endforeach()

  add_custom_command(
    OUTPUT ${device}/ptxas.txt
    COMMAND ${CMAKE_COMMAND} "-DREPORTS=${reports}" -DLIMITS=${EC_LIMITS_FILE} -DTABLE=${device}/ptxas.txt
            -P ${EC_CUDA_DIR}/cmake/PtxasGate.cmake
    DEPENDS ${reports} ${EC_LIMITS_FILE} ${EC_CUDA_DIR}/cmake/PtxasGate.cmake
    COMMENT "ptxas gate" VERBATIM)

  add_custom_command(
    OUTPUT ${device}/kernels.json
    COMMAND ${CMAKE_COMMAND} -DWRITER=$<TARGET_FILE:effconv_write_manifest> -DSOURCE_DIR=${EC_CUDA_DIR}
            -DOUTPUT=${device}/kernels.json "-DNVCC=${EC_NVCC}" "-DTARGETS=${EFFCONV_CUDA_TARGETS}"
            -P ${EC_CUDA_DIR}/cmake/WriteManifest.cmake
    DEPENDS effconv_write_manifest ${fatbins}
    COMMENT "kernel manifest" VERBATIM)
  add_custom_target(effconv_device_code ALL DEPENDS ${fatbins} ${device}/ptxas.txt ${device}/kernels.json)
endfunction()
