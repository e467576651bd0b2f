#include "ckernel_heap.h"

#include <malloc.h>

void ckernel_limit_arenas(int count) { mallopt(M_ARENA_MAX, count); }
