#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

// The functions and types, as NVIDIA documents them. They are called by address: the library is loaded at run time.
typedef struct {
	void *version, *name, *create, *destroy;
	void *desc_create, *desc_set, *desc_destroy;
	void *layout_create, *layout_set, *layout_destroy;
	void *pref_create, *pref_set, *pref_destroy;
	void *heuristic, *matmul, *algo_check;
} lt_api;

typedef struct {
	uint64_t algo[8];
	size_t workspace;
	int state;
	float waves;
	int reserved[4];
} lt_result;

typedef struct {
	void *desc, *a, *b, *d;
	uint64_t algo[8];
} lt_plan;

typedef size_t (*version_fn)(void);
typedef const char *(*name_fn)(int);
typedef int (*create_fn)(void **);
typedef int (*destroy_fn)(void *);
typedef int (*desc_create_fn)(void **, int, int);
typedef int (*layout_create_fn)(void **, int, uint64_t, uint64_t, int64_t);
typedef int (*set_fn)(void *, int, const void *, size_t);
typedef int (*heuristic_fn)(void *, void *, void *, void *, void *, void *, void *, int, lt_result *, int *);
typedef int (*algo_check_fn)(void *, void *, void *, void *, void *, void *, const uint64_t *, lt_result *);
typedef int (*matmul_fn)(void *, void *, const void *, const void *, void *, const void *, void *, const void *, const void *, void *, void *, void *, const uint64_t *, void *, size_t, void *);

static size_t lt_version(lt_api *l) { return ((version_fn)l->version)(); }
static const char *lt_name(lt_api *l, int status) { return ((name_fn)l->name)(status); }
static int lt_create(void *f, void **out) { return ((create_fn)f)(out); }
static int lt_destroy(void *f, void *x) { return ((destroy_fn)f)(x); }
static int lt_desc_create(lt_api *l, void **out, int compute, int scale) { return ((desc_create_fn)l->desc_create)(out, compute, scale); }
static int lt_layout_create(lt_api *l, void **out, int type, uint64_t rows, uint64_t cols, int64_t ld) { return ((layout_create_fn)l->layout_create)(out, type, rows, cols, ld); }
static int lt_set32(void *f, void *x, int attribute, int32_t value) { return ((set_fn)f)(x, attribute, &value, sizeof value); }
static int lt_set64(void *f, void *x, int attribute, int64_t value) { return ((set_fn)f)(x, attribute, &value, sizeof value); }

static int lt_heuristic(lt_api *l, void *handle, lt_plan *p, void *pref, int most, lt_result *out, int *n) {
	return ((heuristic_fn)l->heuristic)(handle, p->desc, p->a, p->b, p->d, p->d, pref, most, out, n);
}
static int lt_algo_check(lt_api *l, void *handle, lt_plan *p, lt_result *out) {
	return ((algo_check_fn)l->algo_check)(handle, p->desc, p->a, p->b, p->d, p->d, p->algo, out);
}

// Alpha is 1 and beta 0; c is not read then, and is the result's own memory.
static int lt_matmul(lt_api *l, void *handle, lt_plan *p, int doubles, uintptr_t a, uintptr_t b, uintptr_t d, uintptr_t workspace, size_t bytes, uintptr_t stream) {
	static const double one = 1, zero = 0;
	static const float onef = 1, zerof = 0;
	const void *alpha = doubles ? (const void *)&one : (const void *)&onef, *beta = doubles ? (const void *)&zero : (const void *)&zerof;
	return ((matmul_fn)l->matmul)(handle, p->desc, alpha, (const void *)a, p->a, (const void *)b, p->b, beta, (const void *)d, p->d, (void *)d, p->d, p->algo, (void *)workspace, bytes, (void *)stream);
}
