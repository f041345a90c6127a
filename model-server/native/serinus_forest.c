/* A forest of decision trees with one score for two classes: the walk that `serinus_server/forest.py` may put
   in onnxruntime's place.

   A node is 8 bytes, so that a hundred trees stay in a core's cache. Nodes stand in preorder: the child of
   `x <= value` follows its parent, the other one stands `other` further on. In a leaf `other` is 0 and
   `value` its score. Scores are added as float32, tree by tree, as onnxruntime adds them. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>

typedef struct {
    float value;
    uint16_t feature, other;
} Node;

typedef struct {
    PyObject_HEAD
    PyObject *nodes, *roots; /* bytes: Nodes, and the number of each tree's first one as uint32_t */
    Py_ssize_t width;
    float base;
    int logistic;
    float *row;
} Forest;

/* Whether every path leads forward to a leaf, within the nodes and the row: `walk` looks at nothing. */
static int is_sound(const Forest *forest) {
    const Node *nodes = (const Node *)PyBytes_AS_STRING(forest->nodes);
    const uint32_t *roots = (const uint32_t *)PyBytes_AS_STRING(forest->roots);
    Py_ssize_t size = PyBytes_GET_SIZE(forest->nodes) / (Py_ssize_t)sizeof(Node);
    Py_ssize_t trees = PyBytes_GET_SIZE(forest->roots) / (Py_ssize_t)sizeof(uint32_t);
    for (Py_ssize_t i = 0; i < size; i++)
        if (nodes[i].other && (i + nodes[i].other >= size || nodes[i].feature >= forest->width)) return 0;
    for (Py_ssize_t i = 0; i < trees; i++)
        if (roots[i] >= size) return 0;
    /* A parent's first child is there because the second one, behind it, is. */
    return 1;
}

static float walk(const Forest *forest) {
    const Node *nodes = (const Node *)PyBytes_AS_STRING(forest->nodes);
    const uint32_t *roots = (const uint32_t *)PyBytes_AS_STRING(forest->roots);
    Py_ssize_t trees = PyBytes_GET_SIZE(forest->roots) / (Py_ssize_t)sizeof(uint32_t);
    const float *row = forest->row;
    float score = 0;
    for (Py_ssize_t i = 0; i < trees; i++) {
        const Node *node = nodes + roots[i];
        while (node->other) node += row[node->feature] <= node->value ? 1 : node->other;
        score += node->value;
    }
    return score + forest->base;
}

static float logistic(float x) {
    float y = 1 / (1 + expf(-fabsf(x)));
    return x < 0 ? 1 - y : y;
}

static PyObject *answer(const Forest *forest) {
    float score = walk(forest);
    double yes = forest->logistic ? logistic(score) : score;
    double no = forest->logistic ? logistic(-score) : 1 - score;
    PyObject *list = PyList_New(2), *first = PyFloat_FromDouble(no), *second = PyFloat_FromDouble(yes);
    if (!list || !first || !second) {
        Py_XDECREF(list), Py_XDECREF(first), Py_XDECREF(second);
        return NULL;
    }
    PyList_SET_ITEM(list, 0, first);
    PyList_SET_ITEM(list, 1, second);
    return list;
}

static int take(const Forest *forest, PyObject *values) {
    if (!PyList_Check(values) || PyList_GET_SIZE(values) != forest->width) {
        PyErr_Format(PyExc_ValueError, "a row must be a list of %zd floats", forest->width);
        return 0;
    }
    for (Py_ssize_t i = 0; i < forest->width; i++) {
        double value = PyFloat_AsDouble(PyList_GET_ITEM(values, i));
        if (value == -1 && PyErr_Occurred()) return 0;
        forest->row[i] = (float)value;
    }
    return 1;
}

static PyObject *run(Forest *forest, PyObject *matrix) {
    if (!PyList_Check(matrix)) return PyErr_Format(PyExc_TypeError, "a matrix must be a list of rows");
    Py_ssize_t rows = PyList_GET_SIZE(matrix);
    PyObject *answers = PyList_New(rows);
    for (Py_ssize_t i = 0; answers && i < rows; i++) {
        PyObject *each = take(forest, PyList_GET_ITEM(matrix, i)) ? answer(forest) : NULL;
        if (each) PyList_SET_ITEM(answers, i, each);
        else Py_CLEAR(answers);
    }
    return answers;
}

static void forget(Forest *forest) {
    PyTypeObject *type = Py_TYPE(forest);
    Py_XDECREF(forest->nodes);
    Py_XDECREF(forest->roots);
    PyMem_Free(forest->row);
    type->tp_free(forest);
    Py_DECREF(type);
}

static PyObject *make(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    static char *names[] = {"nodes", "roots", "width", "base", "logistic", NULL};
    Forest *forest = (Forest *)type->tp_alloc(type, 0);
    if (!forest) return NULL;
    PyObject *nodes, *roots;
    if (PyArg_ParseTupleAndKeywords(arguments, keywords, "SSnfp", names, &nodes, &roots, &forest->width,
                                    &forest->base, &forest->logistic)) {
        forest->nodes = Py_NewRef(nodes);
        forest->roots = Py_NewRef(roots);
        if (forest->width < 1 || forest->width > UINT16_MAX || !is_sound(forest))
            PyErr_SetString(PyExc_ValueError, "the nodes are no forest");
        else if ((forest->row = PyMem_Calloc(forest->width, sizeof(float))))
            return (PyObject *)forest;
        else
            PyErr_NoMemory();
    }
    Py_DECREF(forest);
    return NULL;
}

static PyMethodDef methods[] = {
    {"run", (PyCFunction)run, METH_O, "Return [[1 - p, p], ...] for a list of rows, each a list of floats."},
    {NULL, NULL, 0, NULL}};
static PyType_Slot slots[] = {
    {Py_tp_new, make}, {Py_tp_dealloc, forget}, {Py_tp_methods, methods}, {0, NULL}};
static PyType_Spec spec = {"serinus_forest.Forest", sizeof(Forest), 0, Py_TPFLAGS_DEFAULT, slots};

static int fill(PyObject *module) {
    PyObject *type = PyType_FromSpec(&spec);
    int failed = !type || PyModule_AddObjectRef(module, "Forest", type);
    Py_XDECREF(type);
    return failed ? -1 : 0;
}

static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, fill}, {0, NULL}};
static PyModuleDef module = {PyModuleDef_HEAD_INIT, "serinus_forest", NULL, 0, NULL, module_slots, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_serinus_forest(void) { return PyModuleDef_Init(&module); }
