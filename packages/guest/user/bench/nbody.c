/*
 * The sun and its four giant planets in double precision, one step of 0.01 days per operation: the problem,
 * constants and known energies of the Computer Language Benchmarks Game's "n-body". SSE2 arithmetic is exact
 * to the bit everywhere.
 */
#include "bench.h"

enum { BODIES = 5 };

#define PI 3.141592653589793
#define SOLAR_MASS (4 * PI * PI)
#define DAYS_PER_YEAR 365.24

static struct body {
    double x, y, z, vx, vy, vz, mass;
} bodies[BODIES];

static const struct body at_start[BODIES] = {
    { 0, 0, 0, 0, 0, 0, SOLAR_MASS },
    { 4.84143144246472090e+00, -1.16032004402742839e+00, -1.03622044471123109e-01,
      1.66007664274403694e-03 * DAYS_PER_YEAR, 7.69901118419740425e-03 * DAYS_PER_YEAR,
      -6.90460016972063023e-05 * DAYS_PER_YEAR, 9.54791938424326609e-04 * SOLAR_MASS },
    { 8.34336671824457987e+00, 4.12479856412430479e+00, -4.03523417114321381e-01,
      -2.76742510726411899e-03 * DAYS_PER_YEAR, 4.99852801234917238e-03 * DAYS_PER_YEAR,
      2.30417297573763929e-05 * DAYS_PER_YEAR, 2.85885980666130812e-04 * SOLAR_MASS },
    { 1.28943695621391310e+01, -1.51111514016986312e+01, -2.23307578892655734e-01,
      2.96460137564761618e-03 * DAYS_PER_YEAR, 2.37847173959480950e-03 * DAYS_PER_YEAR,
      -2.96589568540237556e-05 * DAYS_PER_YEAR, 4.36624404335156298e-05 * SOLAR_MASS },
    { 1.53796971148509165e+01, -2.59193146099879641e+01, 1.79258772950371181e-01,
      2.68067772490389322e-03 * DAYS_PER_YEAR, 1.62824170038242295e-03 * DAYS_PER_YEAR,
      -9.51592254519715870e-05 * DAYS_PER_YEAR, 5.15138902046611451e-05 * SOLAR_MASS },
};

static double energy(void)
{
    double total = 0;
    for (int i = 0; i < BODIES; i++) {
        const struct body *a = &bodies[i];
        total += 0.5 * a->mass * (a->vx * a->vx + a->vy * a->vy + a->vz * a->vz);
        for (int j = i + 1; j < BODIES; j++) {
            const struct body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            total -= a->mass * b->mass / __builtin_sqrt(dx * dx + dy * dy + dz * dz);
        }
    }
    return total;
}

static void advance(double days)
{
    for (int i = 0; i < BODIES; i++) {
        struct body *a = &bodies[i];
        for (int j = i + 1; j < BODIES; j++) {
            struct body *b = &bodies[j];
            double dx = a->x - b->x, dy = a->y - b->y, dz = a->z - b->z;
            double squared = dx * dx + dy * dy + dz * dz;
            double magnitude = days / (squared * __builtin_sqrt(squared));
            a->vx -= dx * b->mass * magnitude;
            a->vy -= dy * b->mass * magnitude;
            a->vz -= dz * b->mass * magnitude;
            b->vx += dx * a->mass * magnitude;
            b->vy += dy * a->mass * magnitude;
            b->vz += dz * a->mass * magnitude;
        }
    }
    for (int i = 0; i < BODIES; i++) {
        bodies[i].x += days * bodies[i].vx;
        bodies[i].y += days * bodies[i].vy;
        bodies[i].z += days * bodies[i].vz;
    }
}

static int near(double value, double known)
{
    double difference = value - known;
    return difference < 5e-10 && difference > -5e-10;
}

/* Sets the start, with the sun moving so that the whole does not. */
static void prepare(long count)
{
    double px = 0, py = 0, pz = 0;
    (void)count;
    for (int i = 0; i < BODIES; i++) {
        bodies[i] = at_start[i];
        px += bodies[i].vx * bodies[i].mass;
        py += bodies[i].vy * bodies[i].mass;
        pz += bodies[i].vz * bodies[i].mass;
    }
    bodies[0].vx = -px / SOLAR_MASS;
    bodies[0].vy = -py / SOLAR_MASS;
    bodies[0].vz = -pz / SOLAR_MASS;
}

static uint64_t run(long first, long count, uint64_t checksum)
{
    (void)first;
    for (long i = 0; i < count; i++)
        advance(0.01);
    union {
        double value;
        uint64_t bits;
    } end = { energy() };
    return mix(checksum, end.bits);
}

/* Starts again, to see the published energies of the start and of step 1000. Not before the marks: it would
 * warm the code. */
static uint64_t finish(uint64_t checksum)
{
    prepare(0);
    require(near(energy(), -0.169075164), "the energy at the start is -0.169075164");
    for (int i = 0; i < 1000; i++)
        advance(0.01);
    require(near(energy(), -0.169087605), "the energy after 1000 steps is -0.169087605");
    return checksum;
}

const struct benchmark nbody = { "nbody", "one step of five bodies", prepare, run, finish };
