#include "cnixsupport.h"
