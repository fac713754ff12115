# SPDX-License-Identifier: MIT
# The bare guest's program: freestanding, at a fixed address, as a flat file that payload_image.cc embeds. It never
# gets sanitizers or the SSE unit (nobody sets that up for it), and no call into a C library.
add_executable(farcall_bare_payload payload/payload.c)
target_include_directories(farcall_bare_payload PRIVATE ${PROJECT_SOURCE_DIR}/shared/include)
target_compile_options(farcall_bare_payload PRIVATE
  -O2 -Wall -Wextra -ffreestanding -fno-pic -fno-pie -mno-red-zone -mgeneral-regs-only -fno-stack-protector
  -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -fcf-protection=none)
if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
  target_compile_options(farcall_bare_payload PRIVATE -Wno-unused-command-line-argument)
endif()
target_link_options(farcall_bare_payload PRIVATE
  -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-T,${CMAKE_CURRENT_SOURCE_DIR}/payload/payload.ld)
set_target_properties(farcall_bare_payload PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF
  RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} LINK_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/payload/payload.ld)

set(FARCALL_PAYLOAD_IMAGE ${CMAKE_CURRENT_BINARY_DIR}/bare_payload.bin)
add_custom_command(OUTPUT ${FARCALL_PAYLOAD_IMAGE}
  COMMAND ${CMAKE_OBJCOPY} -O binary $<TARGET_FILE:farcall_bare_payload> ${FARCALL_PAYLOAD_IMAGE}
  DEPENDS farcall_bare_payload VERBATIM)
set_source_files_properties(payload/payload_image.cc PROPERTIES
  OBJECT_DEPENDS ${FARCALL_PAYLOAD_IMAGE}
  COMPILE_DEFINITIONS "FARCALL_PAYLOAD_IMAGE=\"${FARCALL_PAYLOAD_IMAGE}\"")
