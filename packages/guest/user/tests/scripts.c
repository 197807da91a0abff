/* Files that begin with #! are executed by the program that they name. */
#include "test.h"

static void run(const char *what, const char *path)
{
    pid_t child = fork();
    if (child == 0) {
        char *arguments[] = { "own-name", "one", "two words", 0 }, *environment[] = { "A=1", 0 };
        execve(path, arguments, environment);
        show(what, -1);
        _exit(100);
    }
    show_end(what, child);
}

static void make(const char *path, const char *text)
{
    make_file(path, text);
    chmod(path, 0755);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        for (int i = 1; i < argc; i++)
            printf("  argument %d: '%s'\n", i, argv[i]);
        printf("  A is %s\n", getenv("A"));
        return argc;
    }
    enter_scratch();
    make("plain", "#!/proc/self/exe\nwhatever follows\n");
    run("without argument", "./plain");
    make("option", "#! /proc/self/exe  -x  and more \t\n");
    run("with argument", "./option");
    make("unended", "#!/proc/self/exe");
    run("without an end of line", "./unended");
    make("absent", "#!/no/such/interpreter\n");
    run("an interpreter that is not there", "./absent");
    make("empty", "#!\n");
    run("no interpreter", "./empty");
    make("blank", "#!   \t\n");
    run("blanks for an interpreter", "./blank");
    make("folder", "#!/tmp\n");
    run("a folder for an interpreter", "./folder");
    make_file("closed", "#!/proc/self/exe\n");
    chmod("closed", 0644);
    run("a script that is not executable", "./closed");
    make("nested", "#!./plain\n");
    run("a script as an interpreter", "./nested");
    make("self", "#!./self\n");
    run("a script that names itself", "./self");
    unlink("plain"), unlink("option"), unlink("unended"), unlink("absent"), unlink("empty"), unlink("blank"),
        unlink("folder");
    unlink("closed"), unlink("nested"), unlink("self");
    leave_scratch();
    return verdict();
}
