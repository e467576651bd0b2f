// The target needs one source file to exist as a library; every declaration is in the header.
#include "ckernel.h"
