// The C library's heap: what the Glibc module does not import from <malloc.h>.
#ifndef CKERNEL_HEAP_H
#define CKERNEL_HEAP_H

// mallopt(M_ARENA_MAX): at most `count` arenas, however many threads allocate.
void ckernel_limit_arenas(int count);

#endif
