// Streams, each with a thread of its own. Nothing orders two streams but what CUDA says does, so that a missing
// synchronisation shows as wrong numbers.
#include "race.h"

#include <unistd.h>

#include <atomic>
#include <thread>

uint32_t fresh_stream_number() {
	static std::atomic<uint32_t> n{0};
	return n++;
}

bool reached(const Mark &m) { return !m.stream || m.stream->completed >= m.item; }

// The thread of a stream. STHENO_SIM_DELAY makes the device slow: microseconds before every piece of work.
static void serve(std::shared_ptr<Stream> s, size_t delay) {
	State &st = state();
	Lock lock(st.mutex);
	for (;;) {
		st.changed.wait(lock, [&] { return !s->queue.empty() || s->closing; });
		if (s->queue.empty()) return;
		Item item = std::move(s->queue.front());
		s->queue.pop_front();
		st.changed.wait(lock, [&] {
			for (const Mark &m : item.waits) {
				if (!reached(m)) return false;
			}
			return true;
		});
		if (item.work && !st.fault) {
			lock.unlock();
			if (delay) usleep((useconds_t)delay);
			race_begin(item.place);
			const int e = item.work->run();
			lock.lock();
			st.worked++;
			if (e) fail(e, item.work->name + " failed");
		}
		if (item.after) item.after();
		lock.unlock();
		item = Item(); // what the work holds goes before anyone is told that it is done
		lock.lock();
		s->completed++;
		st.changed.notify_all();
	}
}

static void push(const std::shared_ptr<Stream> &s, Item item) {
	if (!s->started) {
		s->started = true;
		std::thread(serve, s, environment("STHENO_SIM_DELAY", 0)).detach();
	}
	for (const Mark &m : item.waits) race_wait(*s, m);
	item.place = race_place(*s);
	s->queue.push_back(std::move(item));
	s->enqueued++;
	state().changed.notify_all();
}

// The null stream waits for all blocking streams of its context, and they for it.
static void legacy_order(const Stream &s, Item &item) {
	const auto null_stream = s.context->null_stream;
	if (&s != null_stream.get()) {
		if (s.blocking() && null_stream) item.waits.push_back(mark(null_stream));
		return;
	}
	for (const auto &[handle, o] : state().objects) {
		const auto other = std::dynamic_pointer_cast<Stream>(o);
		if (other && other->context == s.context && other->blocking()) item.waits.push_back(mark(other));
	}
}

int enqueue(const std::shared_ptr<Stream> &s, std::shared_ptr<Work> w, std::function<void()> after) {
	if (s->capture) {
		if (s->capture->invalid) return STREAM_CAPTURE_INVALIDATED;
		if (w) capture_node(*s, std::move(w));
		return SUCCESS;
	}
	if (s == s->context->null_stream) {
		for (const auto &c : state().captures) {
			for (const auto &t : c->streams) {
				if (!t->blocking() || t->context != s->context) continue;
				c->invalid = true;
				return STREAM_CAPTURE_IMPLICIT;
			}
		}
	}
	if (w && w->check) {
		if (const int e = w->check()) return e;
	}
	Item item;
	item.work = std::move(w);
	item.after = std::move(after);
	legacy_order(*s, item);
	push(s, std::move(item));
	return SUCCESS;
}

Mark mark(const std::shared_ptr<Stream> &s) { return {s, s->enqueued, s->past}; }

int wait(Lock &lock, const Mark &m) {
	state().changed.wait(lock, [&] { return reached(m); });
	race_host(m);
	return state().fault;
}

int drain(Lock &lock, Context *c) {
	std::vector<Mark> marks;
	if (c->null_stream) marks.push_back(mark(c->null_stream));
	for (const auto &[handle, o] : state().objects) {
		const auto s = std::dynamic_pointer_cast<Stream>(o);
		if (s && s->context == c) marks.push_back(mark(s));
	}
	for (const Mark &m : marks) wait(lock, m);
	check_red_zones();
	return state().fault;
}

std::shared_ptr<Stream> stream_of(void *handle, Context *c) {
	if (handle == nullptr || handle == (void *)1) { // CU_STREAM_LEGACY
		if (!c->null_stream) {
			c->null_stream = std::make_shared<Stream>();
			c->null_stream->context = c;
		}
		return c->null_stream;
	}
	const auto s = find<Stream>(handle);
	return s && s->context == c ? s : nullptr;
}

// Every function of a stream begins with this.
#define ENTER_STREAM                                                                                                   \
	ENTER;                                                                                                             \
	const auto s = stream_of(stream, call.context);                                                                    \
	if (!s) return INVALID_HANDLE

EXPORT cuStreamCreateWithPriority(void **stream, unsigned flags, int priority) {
	ENTER;
	if (!stream || flags > 1) return INVALID_VALUE;
	const auto s = std::make_shared<Stream>();
	s->flags = flags;
	s->priority = priority > 0 ? 0 : priority < -5 ? -5 : priority;
	*stream = add(s, call.context);
	return SUCCESS;
}
EXPORT cuStreamCreate(void **stream, unsigned flags) { return cuStreamCreateWithPriority(stream, flags, 0); }

EXPORT cuStreamDestroy_v2(void *stream) {
	ENTER;
	const auto s = find<Stream>(stream);
	if (!s || s->context != call.context) return INVALID_HANDLE;
	if (s->capture) {
		s->capture->invalid = true;
		if (s->capture->origin == s.get()) { // nobody can end it any more, so it must not refuse calls of threads to come
			auto &all = state().captures;
			for (size_t i = 0; i < all.size(); i++) {
				if (all[i] == s->capture) {
					all.erase(all.begin() + (long)i);
					break;
				}
			}
		}
	}
	s->closing = true; // its thread ends when the queue is empty
	state().objects.erase(stream);
	state().changed.notify_all();
	return SUCCESS;
}

// A call that must not be made while a stream captures breaks the capture.
static int refuse_capture(const Stream &s) {
	if (!s.capture) return SUCCESS;
	s.capture->invalid = true;
	return STREAM_CAPTURE_UNSUPPORTED;
}

EXPORT cuStreamSynchronize(void *stream) {
	ENTER_STREAM;
	if (const int e = refuse_capture(*s)) return e;
	if (s == call.context->null_stream) enqueue(s, nullptr); // waits for the streams that it waits for
	wait(call.lock, mark(s));
	check_red_zones();
	return state().fault;
}

EXPORT cuStreamQuery(void *stream) {
	ENTER_STREAM;
	if (const int e = refuse_capture(*s)) return e;
	if (!reached(mark(s))) return NOT_READY;
	race_host(mark(s));
	return SUCCESS;
}

EXPORT cuStreamGetFlags(void *stream, unsigned *flags) {
	ENTER_STREAM;
	if (!flags) return INVALID_VALUE;
	*flags = s->flags;
	return SUCCESS;
}

EXPORT cuStreamGetPriority(void *stream, int *priority) {
	ENTER_STREAM;
	if (!priority) return INVALID_VALUE;
	*priority = s->priority;
	return SUCCESS;
}

EXPORT cuStreamGetCtx(void *stream, void **context) {
	ENTER_STREAM;
	if (!context) return INVALID_VALUE;
	*context = s->context->handle;
	return SUCCESS;
}

EXPORT cuStreamWaitEvent(void *stream, void *event, unsigned) {
	ENTER_STREAM;
	const auto e = find<Event>(event);
	if (!e) return INVALID_HANDLE;
	if (e->capture) { // joins the stream to the capture
		if (s == call.context->null_stream) return STREAM_CAPTURE_UNSUPPORTED;
		if (s->capture && s->capture != e->capture) {
			s->capture->invalid = e->capture->invalid = true;
			return STREAM_CAPTURE_MERGE;
		}
		if (!e->capture->origin) return INVALID_VALUE; // that capture has ended
		if (!s->capture) {
			s->capture = e->capture;
			e->capture->streams.push_back(s);
		}
		s->frontier.insert(e->frontier.begin(), e->frontier.end());
		return SUCCESS;
	}
	if (s->capture) {
		s->capture->invalid = true; // the graph would wait for what is outside of it
		return STREAM_CAPTURE_UNSUPPORTED;
	}
	race_wait(*s, e->mark);
	if (!e->recorded || reached(e->mark)) return SUCCESS;
	Item item;
	item.waits.push_back(e->mark);
	legacy_order(*s, item);
	push(s, std::move(item));
	return SUCCESS;
}

EXPORT cuLaunchHostFunc(void *stream, void (*function)(void *), void *argument) {
	ENTER_STREAM;
	if (!function) return INVALID_VALUE;
	const auto w = std::make_shared<Work>();
	w->name = "host function";
	w->run = [=] {
		function(argument);
		return 0;
	};
	return enqueue(s, w);
}

extern "C" __attribute__((visibility("default"))) int stheno_sim_enqueue(void *stream, const char *name, int (*fn)(void *),
                                                                         void (*drop)(void *), void *arg) {
	std::shared_ptr<void> owned(arg, [drop](void *p) {
		if (drop) drop(p);
	});
	const auto w = std::make_shared<Work>();
	w->name = name ? name : "library call";
	w->run = [fn, owned] { return fn(owned.get()); };
	owned.reset();
	ENTER_STREAM;
	return enqueue(s, w);
}
