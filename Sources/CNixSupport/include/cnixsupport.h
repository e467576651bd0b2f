// What the evaluator needs from C and Swift cannot say: where the stack is.
#ifndef CNIXSUPPORT_H
#define CNIXSUPPORT_H

#include <stdint.h>

/// The address of the caller's stack frame, for the check that deep recursion ends in an error and not in a crash.
static inline uintptr_t dhow_stack_position(void) { return (uintptr_t)__builtin_frame_address(0); }

#endif
