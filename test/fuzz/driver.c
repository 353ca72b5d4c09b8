/*-------------------------------------------------------------------------
 *
 * driver.c
 *		Runs the harness without libFuzzer: every file named, and a number of
 *		inputs made of them by a seeded random walk.
 *
 *	driver INPUTS SEED FILE...
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST 4096
#define MOST_FILES 4096

static struct
{
	size_t		size;
	uint8_t    *data;
}			seeds[MOST_FILES];
static int	nseeds = 0;
static uint64_t state;

/* xorshift64* */
static uint32_t
draw(uint32_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t) ((state * UINT64_C(2685821657736338717)) >> 32) % below;
}

static size_t
mutate(uint8_t *input, size_t size)
{
	for (uint32_t n = draw(4) + 1; n > 0; n--)
	{
		size_t		at = draw((uint32_t) size + 1);
		size_t		other = draw((uint32_t) nseeds);

		switch (draw(6))
		{
			case 0:				/* one bit */
				if (at < size)
					input[at] ^= (uint8_t) (1 << draw(8));
				break;
			case 1:				/* one byte */
				if (at < size)
					input[at] = (uint8_t) draw(256);
				break;
			case 2:				/* cut out */
				if (at < size)
				{
					size_t		length = draw((uint32_t) (size - at)) + 1;

					memmove(input + at, input + at + length, size - at - length);
					size -= length;
				}
				break;
			case 3:				/* put in */
				if (size < MOST)
				{
					memmove(input + at + 1, input + at, size - at);
					input[at] = (uint8_t) draw(256);
					size++;
				}
				break;
			case 4:				/* twice */
				if (at < size && size + (size - at) <= MOST)
				{
					memcpy(input + size, input + at, size - at);
					size += size - at;
				}
				break;
			case 5:				/* the end of another */
				if (seeds[other].size > 0)
				{
					size_t		from = draw((uint32_t) seeds[other].size);
					size_t		length = seeds[other].size - from;

					if (at + length <= MOST)
					{
						memcpy(input + at, seeds[other].data + from, length);
						size = at + length;
					}
				}
				break;
		}
	}
	return size;
}

int
main(int argc, char **argv)
{
	unsigned long long inputs;

	if (argc < 4)
	{
		fprintf(stderr, "usage: %s INPUTS SEED FILE...\n", argv[0]);
		return 2;
	}
	inputs = strtoull(argv[1], NULL, 10);
	state = strtoull(argv[2], NULL, 10) * 2 + 1;
	for (int i = 3; i < argc && nseeds < MOST_FILES; i++)
	{
		FILE	   *file = fopen(argv[i], "rb");

		if (file == NULL)
		{
			perror(argv[i]);
			return 2;
		}
		seeds[nseeds].data = malloc(MOST);
		seeds[nseeds].size = fread(seeds[nseeds].data, 1, MOST, file);
		fclose(file);
		LLVMFuzzerTestOneInput(seeds[nseeds].data, seeds[nseeds].size);
		nseeds++;
	}
	for (unsigned long long i = 0; i < inputs; i++)
	{
		uint8_t		input[MOST];
		uint8_t    *exact;
		uint32_t	seed = draw((uint32_t) nseeds);
		size_t		size = seeds[seed].size;

		memcpy(input, seeds[seed].data, size);
		size = mutate(input, size);
		exact = malloc(size > 0 ? size : 1);	/* so that reading past the end shows */
		memcpy(exact, input, size);
		LLVMFuzzerTestOneInput(exact, size);
		free(exact);
	}
	printf("%d seeds and %llu inputs made of them: nothing found\n", nseeds, inputs);
	return 0;
}
