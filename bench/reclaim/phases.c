/* Native malloc in the steps of cases/phases.mjs: allocate and touch, free, give back, a second of nothing.
 * usage: phases SIZES KEEP_EVERY TRIM   SIZES: a file of int32; TRIM: 1 gives back with malloc_trim, where there is one.
 * Prints a line of JSON: rss in bytes before and after each step, ms of each. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e3 + t.tv_nsec / 1e6; }
/* Without stdio: a buffer it allocated on top of the burst would keep the system from getting anything back. */
static double rss(void) {
	char text[128] = {0};
	long pages = 0, resident = 0;
	int f = open("/proc/self/statm", O_RDONLY);
	if (f < 0 || read(f, text, sizeof text - 1) <= 0 || sscanf(text, "%ld %ld", &pages, &resident) != 2) exit(3);
	close(f);
	return (double)resident * sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv) {
	if (argc != 4) return 2;
	FILE *f = fopen(argv[1], "rb");
	if (!f) return 2;
	long keep = atol(argv[2]), n;
	fseek(f, 0, SEEK_END); n = ftell(f) / 4; rewind(f);
	int32_t *sizes = malloc(n * 4); char **objects = malloc(n * sizeof *objects);
	for (long i = 0; i < n; i++) objects[i] = (char *)1; /* resident before the burst, as the others' lists are */
	if (fread(sizes, 4, n, f) != (size_t)n) return 2;
	fclose(f);
	double memory[5] = {rss()}, ms[3], from = now();
	for (long i = 0; i < n; i++) {
		volatile char *p = malloc(sizes[i]);
		if (!p) return 1;
		for (int32_t byte = 0; byte < sizes[i]; byte += 4096) p[byte] = 1;
		p[sizes[i] - 1] = 1; objects[i] = (char *)p;
	}
	ms[0] = now() - from; memory[1] = rss(); from = now();
	for (long i = 0; i < n; i++) if (keep == 0 || i % keep != 0) free(objects[i]);
	ms[1] = now() - from; memory[2] = rss(); from = now();
#ifdef __GLIBC__
	if (atoi(argv[3])) malloc_trim(0);
#endif
	ms[2] = now() - from; memory[3] = rss();
	sleep(1); memory[4] = rss();
	printf("{\"rss\":[%.0f,%.0f,%.0f,%.0f,%.0f],\"ms\":[%.4f,%.4f,%.4f]}\n", memory[0], memory[1], memory[2], memory[3], memory[4], ms[0], ms[1], ms[2]);
	return 0;
}
