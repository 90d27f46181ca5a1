/* What native malloc/free costs in the same patterns, sizes and orders as the rows in JavaScript.
 * usage: yardstick MODE SECONDS [TRACE]   prints one sample per line: ns per operation.
 * Random numbers come from the same seeds as inputs.mjs and are drawn before the timing. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIZE = 128, BATCH = 1000, MANY = 100000, STEPS = 1 << 18, TAIL = 10000000, SPAN = 1 << 20, RING = 1024 };
#define ESCAPE(p) __asm__ volatile("" ::"r"(p) : "memory") /* the compiler may not leave malloc out */
/* Samples body until the budget is spent; the first fifth warms up and is not printed. */
#define SAMPLE(ops, body) do { double start = now(), from, took; \
	do { from = now(); body took = now() - from; \
	     if (from - start > budget / 5) printf("%.3f\n", took / (ops)); } while (now() - start < budget * 1.2); } while (0)

static double budget;
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e9 + t.tv_nsec; }
static uint32_t state;
static uint32_t next_random(void) { state ^= state << 13; state ^= state >> 17; state ^= state << 5; return state; }
static void *get(size_t n) { void *p = malloc(n); ESCAPE(p); return p; }
static void *kept[2][MANY];
static int32_t order[STEPS];
static void shuffle(int n) {
	state = 54321;
	for (int i = 0; i < n; i++) order[i] = i;
	for (int i = n - 1; i > 0; i--) { int j = next_random() % (i + 1), held = order[i]; order[i] = order[j]; order[j] = held; }
}
static void lifo(void **a) {
	for (int i = 0; i < BATCH; i++) a[i] = get(SIZE);
	for (int i = BATCH - 1; i >= 0; i--) free(a[i]);
}
static void churn_order(void) { state = 24635; for (int i = 0; i < STEPS; i++) order[i] = next_random() % MANY; }
static void random_free(int n) { for (int i = 0; i < n; i++) kept[0][i] = get(SIZE); for (int i = 0; i < n; i++) free(kept[0][order[i]]); }

/* Two threads on their own: how much more than one do they get done? */
static double rate[2];
static void *independent(void *id) {
	double start = now(); long done = 0;
	while (now() - start < budget / 4) { for (int r = 0; r < 20; r++) lifo(kept[(intptr_t)id]); done += 20; }
	rate[(intptr_t)id] = done / (now() - start);
	return 0;
}
static void spawn(int first, int last) {
	pthread_t t[2];
	for (intptr_t i = first; i <= last; i++) pthread_create(&t[i], 0, independent, (void *)i);
	for (int i = first; i <= last; i++) pthread_join(t[i], 0);
}

/* Produce here, free there: the ring of cases/threads.mjs, one producer, one consumer. */
static struct { _Alignas(64) _Atomic uint32_t tail; _Alignas(64) _Atomic uint32_t head; _Alignas(64) void *slot[RING]; } ring;
static uint32_t every, items = 4000000;
static void *produce(void *unused) {
	for (uint32_t i = 0; i < items; i++) {
		while (i - atomic_load(&ring.head) >= RING) {}
		uint32_t *p = get(SIZE); *p = i ^ 0x5ab5ab; ring.slot[i % RING] = p;
		if ((i + 1) % every == 0) atomic_store(&ring.tail, i + 1);
	}
	return unused;
}
static void consume(void) {
	pthread_t t; pthread_create(&t, 0, produce, 0);
	double from = now();
	for (uint32_t i = 0, tail = 0; i < items; i++) {
		while (tail == i) tail = atomic_load(&ring.tail);
		uint32_t *p = ring.slot[i % RING];
		if (*p != (i ^ 0x5ab5ab)) { fprintf(stderr, "damaged item %u\n", i); exit(1); }
		free(p);
		if ((i + 1) % every == 0) atomic_store(&ring.head, i + 1);
		if ((i + 1) % 200000 == 0) { if (i > items / 5) printf("%.3f\n", (now() - from) / 200000); from = now(); }
	}
	pthread_join(t, 0);
}

/* Every allocation timed by itself, into a histogram of 1 ns steps; prints p50 p99 p99.9 p99.99 max of the
 * timer alone and of malloc. burst: 100k at a time, freed in random order; grow: 10 million, none freed;
 * churn: 100k live, each alloc after a free of a random one. */
static uint32_t *histogram; static double longest;
static void record(double ns) { histogram[ns < SPAN ? (int)ns : SPAN - 1]++; if (ns > longest) longest = ns; }
static void quantiles(void) {
	double q[] = {.5, .99, .999, .9999}, total = 0, seen = 0; int k = 0;
	for (int i = 0; i < SPAN; i++) total += histogram[i];
	for (int i = 0; i < SPAN && k < 4; i++) for (seen += histogram[i]; k < 4 && seen >= q[k] * total; k++) printf("%d\n", i);
	printf("%.0f\n", longest); memset(histogram, 0, SPAN * 4); longest = 0;
}
static void tail(int warm, int touch, int churn) {
	void **a = calloc(TAIL, sizeof *a); histogram = calloc(SPAN, 4); memset(a, 1, TAIL * sizeof *a);
	for (int i = 0; i < 1000000; i++) { double t = now(); record(now() - t); }
	quantiles();
	if (churn) {
		for (int i = 0; i < MANY; i++) a[i] = get(SIZE);
		for (long i = -2 * STEPS; i < TAIL; i++) {
			int k = order[i & (STEPS - 1)]; free(a[k]);
			double t = now(); a[k] = get(SIZE); t = now() - t; if (i >= 0) record(t);
		}
		quantiles(); return;
	}
	shuffle(MANY);
	for (int r = warm ? -3 : 0; r < TAIL / MANY; r++) {
		void **b = warm ? a : a + r * MANY;
		for (int i = 0; i < MANY; i++) { double t = now(); char *p = get(SIZE); if (touch) *p = 1; ESCAPE(p); t = now() - t; b[i] = p; if (r >= 0) record(t); }
		if (warm && r == -3) get(1024); /* stays on top, or glibc would hand the emptied heap back to the system */
		if (warm) for (int i = 0; i < MANY; i++) free(b[order[i]]);
	}
	quantiles();
}

int main(int argc, char **argv) {
	const char *mode = argv[1]; budget = atof(argv[2]) * 1e9;
	int32_t *sizes = malloc(4096 * 4), *events = 0; long n = 0;
#define MODE(name) if (!strcmp(mode, name))
	MODE("pair") SAMPLE(200000, for (int i = 0; i < 200000; i++) free(get(SIZE)););
	MODE("lifo") SAMPLE(100 * BATCH, for (int r = 0; r < 100; r++) lifo(kept[0]););
	MODE("fifo") SAMPLE(100 * BATCH, for (int r = 0; r < 100; r++) { for (int i = 0; i < BATCH; i++) kept[0][i] = get(SIZE); for (int i = 0; i < BATCH; i++) free(kept[0][i]); });
	MODE("random1k") { shuffle(BATCH); SAMPLE(100 * BATCH, for (int r = 0; r < 100; r++) random_free(BATCH);); }
	MODE("random100k") { shuffle(MANY); SAMPLE(MANY, random_free(MANY);); }
	MODE("mixed") {
		state = 12345; for (int i = 0; i < 4096; i++) sizes[i] = 1 + next_random() % 768;
		SAMPLE(100 * BATCH, for (int r = 0; r < 100; r++) { for (int i = 0; i < BATCH; i++) kept[0][i] = get(sizes[(r + i) & 4095]); for (int i = 0; i < BATCH; i++) free(kept[0][i]); });
	}
	MODE("sites") { /* the sizes of manySites in loops.mjs */
		static const int s[] = {128, 64, 256, 96, 192, 128, 512, 64};
		SAMPLE(8 * 20000, for (int r = 0; r < 20000; r++) for (int k = 0; k < 8; k += 4) { for (int i = k; i < k + 4; i++) kept[0][i] = get(s[i]); for (int i = k; i < k + 4; i++) free(kept[0][i]); });
	}
	MODE("churn") {
		churn_order();
		for (int i = 0; i < MANY; i++) kept[0][i] = get(SIZE);
		SAMPLE(STEPS, for (int r = 0; r < STEPS; r++) { int i = order[r]; free(kept[0][i]); kept[0][i] = get(SIZE); });
	}
	MODE("trace") {
		FILE *f = fopen(argv[3], "rb"); fseek(f, 0, SEEK_END); n = ftell(f) / 4; rewind(f);
		events = malloc(n * 4); if (fread(events, 4, n, f) != (size_t)n) return 1;
		int32_t top = 0; for (long i = 1; i < n; i += 2) if (events[i] > top) top = events[i];
		void **a = calloc(top + 1, sizeof *a);
		SAMPLE(n / 2, for (long i = 0; i < n; i += 2) { if (events[i] > 0) a[events[i + 1]] = get(events[i]); else free(a[events[i + 1]]); });
	}
	MODE("threads") for (int r = 0; r < 4; r++) { spawn(0, 0); double one = rate[0]; spawn(1, 1); one = (one + rate[1]) / 2; spawn(0, 1); printf("%.3f\n", (rate[0] + rate[1]) / one); }
	MODE("ring32") { every = 32; consume(); }
	MODE("ring1") { every = 1; consume(); }
	MODE("tail-warm") { churn_order(); tail(0, 0, 1); }
	MODE("tail-burst") tail(1, 0, 0);
	MODE("tail-grow") tail(0, 0, 0);
	MODE("tail-touch") tail(0, 1, 0);
	return argc < 3;
}
