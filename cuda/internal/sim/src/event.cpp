// Events: marks in streams, and the times at which they were reached.
#include "race.h"

#include <time.h>

// What stheno_sim_pass let pass in the stream of this thread.
static thread_local double passed;

extern "C" __attribute__((visibility("default"))) void stheno_sim_pass(double milliseconds) { passed += milliseconds; }

static double now() {
	timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6 + passed;
}

EXPORT cuEventCreate(void **event, unsigned flags) {
	ENTER;
	if (!event) return INVALID_VALUE;
	const auto e = std::make_shared<Event>();
	e->flags = flags;
	*event = add(e, call.context);
	return SUCCESS;
}

#define ENTER_EVENT                                                                                                    \
	ENTER;                                                                                                             \
	const auto e = find<Event>(event);                                                                                 \
	if (!e) return INVALID_HANDLE

EXPORT cuEventDestroy_v2(void *event) {
	ENTER_EVENT;
	state().objects.erase(event);
	return SUCCESS;
}

EXPORT cuEventRecord(void *event, void *stream) {
	ENTER_EVENT;
	const auto s = stream_of(stream, call.context);
	if (!s || e->context != s->context) return INVALID_HANDLE;
	e->recorded = true;
	e->capture = s->capture;
	e->frontier = s->frontier;
	if (s->capture) return s->capture->invalid ? STREAM_CAPTURE_INVALIDATED : SUCCESS;
	e->time = std::make_shared<double>(0);
	const int error = enqueue(s, nullptr, [t = e->time] { *t = now(); });
	e->mark = mark(s);
	return error;
}

static int refuse_captured(const Event &e) {
	if (!e.capture) return SUCCESS;
	e.capture->invalid = true;
	return CAPTURED_EVENT;
}

EXPORT cuEventSynchronize(void *event) {
	ENTER_EVENT;
	if (const int error = refuse_captured(*e)) return error;
	if (e->recorded) wait(call.lock, Mark(e->mark));
	check_red_zones();
	return state().fault;
}

EXPORT cuEventQuery(void *event) {
	ENTER_EVENT;
	if (const int error = refuse_captured(*e)) return error;
	if (e->recorded && !reached(e->mark)) return NOT_READY;
	race_host(e->mark);
	return SUCCESS;
}

EXPORT cuEventElapsedTime(float *ms, void *start, void *end) {
	ENTER;
	const auto a = find<Event>(start), b = find<Event>(end);
	if (!a || !b) return INVALID_HANDLE;
	if (!ms) return INVALID_VALUE;
	const unsigned no_timing = 2; // CU_EVENT_DISABLE_TIMING
	if (!a->recorded || !b->recorded || (a->flags | b->flags) & no_timing) return INVALID_HANDLE;
	if (a->capture || b->capture) return CAPTURED_EVENT;
	if (!reached(a->mark) || !reached(b->mark)) return NOT_READY;
	*ms = (float)(*b->time - *a->time);
	return SUCCESS;
}
EXPORT cuEventElapsedTime_v2(float *ms, void *start, void *end) { return cuEventElapsedTime(ms, start, end); }
