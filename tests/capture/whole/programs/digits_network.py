"""A small neural network from scratch (numpy only) on the 8x8 digits."""
import numpy as np
from sklearn.datasets import load_digits

np.random.seed(0)


def one_hot(labels, classes):
    out = np.zeros((labels.shape[0], classes))
    out[np.arange(labels.shape[0]), labels] = 1
    return out


def sigmoid(z):
    return 1.0 / (1.0 + np.exp(-z))


def softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


class Layer:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out) * np.sqrt(1.0 / n_in)
        self.b = np.zeros((1, n_out))


class Network:
    def __init__(self, sizes, rate=0.5):
        self.layers = [Layer(a, b) for a, b in zip(sizes[:-1], sizes[1:])]
        self.rate = rate
        self.losses = []

    def forward(self, X):
        activations = [X]
        for layer in self.layers[:-1]:
            activations.append(sigmoid(activations[-1] @ layer.W + layer.b))
        last = self.layers[-1]
        activations.append(softmax(activations[-1] @ last.W + last.b))
        return activations

    def step(self, X, Y):
        activations = self.forward(X)
        m = X.shape[0]
        delta = (activations[-1] - Y) / m
        for i in reversed(range(len(self.layers))):
            layer = self.layers[i]
            grad_W = activations[i].T @ delta
            grad_b = delta.sum(axis=0, keepdims=True)
            if i > 0:
                delta = (delta @ layer.W.T) * activations[i] * (1 - activations[i])
            layer.W -= self.rate * grad_W
            layer.b -= self.rate * grad_b
        return -np.mean(np.log((activations[-1] * Y).sum(axis=1) + 1e-12))

    def train(self, X, Y, epochs=30, batch_size=64):
        for epoch in range(epochs):
            order = np.random.permutation(X.shape[0])
            loss = 0.0
            for start in range(0, X.shape[0], batch_size):
                batch = order[start:start + batch_size]
                loss += self.step(X[batch], Y[batch])
            self.losses.append(loss)

    def predict(self, X):
        return self.forward(X)[-1].argmax(axis=1)


digits = load_digits()
X = digits.data
y = digits.target

# drop pixels that never change, then standardise
keep = X.std(axis=0) > 0
X = X[:, keep]
mu = X.mean(axis=0)
sd = X.std(axis=0)
X = (X - mu) / (sd + 1e-8)

idx = np.random.permutation(len(X))
split = int(0.8 * len(X))
X_train, X_test = X[idx[:split]], X[idx[split:]]
y_train, y_test = y[idx[:split]], y[idx[split:]]

net = Network([X.shape[1], 24, 10])
net.train(X_train, one_hot(y_train, 10), epochs=8)
labels = net.predict(X_test)
print("loss %.3f -> %.3f" % (net.losses[0], net.losses[-1]))
print("test accuracy %.3f" % (labels == y_test).mean())
