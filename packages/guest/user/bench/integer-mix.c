/*
 * Integer code as compilers make it of ordinary programs: a hash table, sorting through a comparison
 * function, a linked list in shuffled order, a binary tree, numbers to text and back, and an interpreter of a
 * small byte code.
 *
 * One operation is a round of all six over a small data set, about 53,000 instructions, most of them loads,
 * stores, compares, branches and calls; the data changes from round to round, so that no branch history
 * repeats exactly.
 */
#include "bench.h"
#include <stdlib.h>
#include <string.h>

enum { KEYS = 48, SLOTS = 128, LIST_NODES = 256, TREE_NODES = 127, PROGRAM_STEPS = 24 };

static uint64_t state;

/* xorshift64 (Marsaglia 2003). */
static uint64_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static char words[KEYS][16];

/* Eight to fifteen letters per word. */
static void make_words(void)
{
    for (int i = 0; i < KEYS; i++) {
        uint64_t bits = next_random();
        int length = 8 + (int)(bits & 7);
        for (int j = 0; j < length; j++) {
            words[i][j] = (char)('a' + (bits >> (4 * j)) % 16);
        }
        words[i][length] = 0;
    }
}

static struct {
    const char *key;
    uint32_t hash, count;
} table[SLOTS];

static uint32_t hash_word(const char *word)
{
    uint32_t hash = 2166136261u;
    while (*word)
        hash = (hash ^ (unsigned char)*word++) * 16777619u;
    return hash;
}

/* Counts each word and every second one again, in a table with linear probing. */
static uint64_t count_words(void)
{
    uint64_t sum = 0;
    memset(table, 0, sizeof(table));
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < KEYS; i += 1 + pass) {
            uint32_t hash = hash_word(words[i]), slot = hash % SLOTS;
            while (table[slot].key && (table[slot].hash != hash || strcmp(table[slot].key, words[i]) != 0))
                slot = (slot + 1) % SLOTS;
            table[slot].key = words[i];
            table[slot].hash = hash;
            table[slot].count++;
            sum += slot;
        }
    }
    return sum;
}

static int by_word(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static uint64_t sort_words(void)
{
    const char *sorted[KEYS];
    uint64_t sum = 0;
    for (int i = 0; i < KEYS; i++)
        sorted[i] = words[i];
    qsort(sorted, KEYS, sizeof(*sorted), by_word);
    for (int i = 0; i < KEYS; i++)
        sum = sum * 31 + (unsigned char)sorted[i][1];
    return sum;
}

static struct node {
    struct node *next;
    uint64_t value;
} list[LIST_NODES];

/* Links the nodes in an order that walks through memory in large, uneven steps. */
static void make_list(void)
{
    uint32_t order[LIST_NODES];
    for (uint32_t i = 0; i < LIST_NODES; i++)
        order[i] = i;
    for (uint32_t i = LIST_NODES - 1; i > 0; i--) {
        uint32_t j = (uint32_t)(next_random() % (i + 1)), kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
    for (uint32_t i = 0; i < LIST_NODES; i++) {
        list[order[i]].next = i + 1 < LIST_NODES ? &list[order[i + 1]] : 0;
        list[order[i]].value = next_random();
    }
    /* Node 0 is where walks begin, wherever it stands in the order; the part before it joins at the end. */
    list[order[LIST_NODES - 1]].next = order[0] == 0 ? 0 : &list[order[0]];
    for (struct node *node = &list[0]; node; node = node->next)
        if (node->next == &list[0])
            node->next = 0;
}

static uint64_t walk_list(void)
{
    uint64_t sum = 0;
    for (struct node *node = &list[0]; node; node = node->next) {
        if (node->value & 1)
            sum += node->value >> 3;
        else
            sum ^= node->value;
        node->value = node->value * 6364136223846793005u + 1;
    }
    return sum;
}

static struct tree {
    struct tree *left, *right;
    uint32_t key;
} tree_nodes[TREE_NODES];

static uint64_t depth_sum(const struct tree *tree, uint64_t depth)
{
    return tree ? depth + depth_sum(tree->left, depth + 1) + depth_sum(tree->right, depth + 1) : 0;
}

static uint64_t build_tree(void)
{
    struct tree *root = 0;
    for (int i = 0; i < TREE_NODES; i++) {
        struct tree *node = &tree_nodes[i], **where = &root;
        node->left = node->right = 0;
        node->key = (uint32_t)next_random();
        while (*where)
            where = node->key < (*where)->key ? &(*where)->left : &(*where)->right;
        *where = node;
    }
    return depth_sum(root, 1);
}

/* A number to decimal text, the text to a number, and Euclid's algorithm on it. */
static uint64_t convert_numbers(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < 4; i++) {
        uint32_t number = (uint32_t)next_random();
        char text[12], *at = text + sizeof(text);
        *--at = 0;
        for (uint32_t rest = number; rest > 0; rest /= 10)
            *--at = (char)('0' + rest % 10);
        uint64_t a = strtoul(at, 0, 10), b = 360360;
        while (b) {
            uint64_t rest = a % b;
            a = b;
            b = rest;
        }
        sum += a + (uint64_t)(number == strtoul(at, 0, 10));
    }
    return sum;
}

enum opcode { PUSH, ADD, SUB, MULTIPLY, SHIFT, AND, OR, XOR, DUPLICATE, SWAP, ROTATE };

/* Interprets random programs that keep two to eight values on the stack. */
static uint64_t interpret(void)
{
    uint64_t stack[8] = { next_random(), next_random() }, kept;
    int top = 1;
    for (int pass = 0; pass < 4; pass++) {
        uint64_t code = next_random();
        for (int step = 0; step < PROGRAM_STEPS; step++, code = code >> 5 | code << 59) {
            enum opcode opcode = (enum opcode)(code % 11);
            if (top == 7 && (opcode == PUSH || opcode == DUPLICATE))
                opcode = XOR;
            if (top == 1 && opcode >= ADD && opcode <= XOR && opcode != SHIFT)
                opcode = PUSH;
            switch (opcode) {
            case PUSH: stack[++top] = code; break;
            case ADD:
                top--;
                stack[top] += stack[top + 1];
                break;
            case SUB:
                top--;
                stack[top] -= stack[top + 1];
                break;
            case MULTIPLY:
                top--;
                stack[top] *= stack[top + 1] | 1;
                break;
            case SHIFT: stack[top] = stack[top] << 3 | stack[top] >> 61; break;
            case AND:
                top--;
                stack[top] &= stack[top + 1];
                break;
            case OR:
                top--;
                stack[top] |= stack[top + 1];
                break;
            case XOR:
                top--;
                stack[top] ^= stack[top + 1];
                break;
            case DUPLICATE:
                stack[top + 1] = stack[top];
                top++;
                break;
            case SWAP:
                kept = stack[top];
                stack[top] = stack[top - 1];
                stack[top - 1] = kept;
                break;
            case ROTATE:
                kept = stack[0];
                memmove(stack, stack + 1, (size_t)top * sizeof(*stack));
                stack[top] = kept;
                break;
            }
        }
    }
    return stack[top];
}

static void prepare(long count)
{
    (void)count;
    state = 0x9e3779b97f4a7c15u;
    make_list();
}

static uint64_t run(long first, long count, uint64_t checksum)
{
    for (long i = first; i < first + count; i++) {
        make_words();
        checksum = mix(checksum, count_words());
        checksum = mix(checksum, sort_words());
        checksum = mix(checksum, walk_list());
        checksum = mix(checksum, build_tree());
        checksum = mix(checksum, convert_numbers());
        checksum = mix(checksum, interpret());
    }
    return checksum;
}

const struct benchmark integer_mix = {
    "integer-mix", "a round of hashing, sorting, lists, trees, text and interpreting", prepare, run, 0,
};
