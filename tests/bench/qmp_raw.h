// SPDX-License-Identifier: MIT
// What a C program does at least to talk QMP: the measure for libqmp. No JSON is looked into.
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/// A connection that has greeted and negotiated, with out-of-band execution or without; -1 if not.
int raw_connect(const char* path, int oob);
/// Sends `query-status` so often, `window` at a time, and reads each reply; 0 if all came.
int raw_query(int fd, int count, int window);

#ifdef __cplusplus
}
#endif
