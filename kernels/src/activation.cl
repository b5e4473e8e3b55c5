/* Activations other than ReLU (relu.cl), forward and backward, and the element-wise arithmetic of networks. Work-group 256;
   each work-item does four elements, so the grid is roundup(ceil(n / 4), 256) work-items; any n and any 4-byte aligned
   pointers. */

#define ITEM uint i = (get_group_id(0) * 256u + get_local_id(0)) * 4u

#define FORWARD(NAME, FUNCTION)                                                                                    \
  __kernel __attribute__((reqd_work_group_size(256, 1, 1)))                                                        \
  void NAME(__global const float *restrict x, __global float *restrict y, uint n) {                                \
    ITEM;                                                                                                          \
    if (i + 4u <= n) {                                                                                             \
      float4 v = vload4(0, x + i);                                                                                 \
      vstore4((float4)(FUNCTION(v.x), FUNCTION(v.y), FUNCTION(v.z), FUNCTION(v.w)), 0, y + i);                     \
    } else {                                                                                                       \
      for (; i < n; i++) y[i] = FUNCTION(x[i]);                                                                    \
    }                                                                                                              \
  }

/* dx = dy · DERIVATIVE(v); v is the forward output for sigmoid and tanh, the forward input otherwise. */
#define BACKWARD(NAME, DERIVATIVE)                                                                                 \
  __kernel __attribute__((reqd_work_group_size(256, 1, 1)))                                                        \
  void NAME(__global const float *restrict v, __global const float *restrict dy, __global float *restrict dx,      \
            uint n) {                                                                                              \
    ITEM;                                                                                                          \
    if (i + 4u <= n) {                                                                                             \
      float4 u = vload4(0, v + i), g = vload4(0, dy + i);                                                          \
      vstore4(g * (float4)(DERIVATIVE(u.x), DERIVATIVE(u.y), DERIVATIVE(u.z), DERIVATIVE(u.w)), 0, dx + i);        \
    } else {                                                                                                       \
      for (; i < n; i++) dx[i] = dy[i] * DERIVATIVE(v[i]);                                                         \
    }                                                                                                              \
  }

__attribute__((always_inline)) static float sigmoid(float x) { return 1.0f / (1.0f + exp(-x)); }
/* log(1 + e^x) without overflow. */
__attribute__((always_inline)) static float soft_relu(float x) { return fmax(x, 0.0f) + log1p(exp(-fabs(x))); }
__attribute__((always_inline)) static float sigmoid_slope(float y) { return y * (1.0f - y); }
__attribute__((always_inline)) static float tanh_slope(float y) { return 1.0f - y * y; }

FORWARD(sigmoid_forward, sigmoid)
BACKWARD(sigmoid_backward, sigmoid_slope)
FORWARD(tanh_forward, tanh)
BACKWARD(tanh_backward, tanh_slope)
FORWARD(soft_relu_forward, soft_relu)
BACKWARD(soft_relu_backward, sigmoid)

/* y = min(max(x, 0), ceiling). */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void clipped_relu_forward(__global const float *restrict x, __global float *restrict y, uint n, float ceiling) {
  ITEM;
  if (i + 4u <= n) {
    vstore4(fmin(fmax(vload4(0, x + i), 0.0f), ceiling), 0, y + i);
  } else {
    for (; i < n; i++) y[i] = fmin(fmax(x[i], 0.0f), ceiling);
  }
}

/* dx = dy where 0 < x < ceiling, else 0. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void clipped_relu_backward(__global const float *restrict x, __global const float *restrict dy,
                           __global float *restrict dx, uint n, float ceiling) {
  ITEM;
  if (i + 4u <= n) {
    float4 v = vload4(0, x + i), g = vload4(0, dy + i);
    vstore4(v > 0.0f && v < ceiling ? g : (float4)(0.0f), 0, dx + i);
  } else {
    for (; i < n; i++) dx[i] = x[i] > 0.0f && x[i] < ceiling ? dy[i] : 0.0f;
  }
}

/* y = x: the bypass layer, and the gradient of a sum. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void copy(__global const float *restrict x, __global float *restrict y, uint n) {
  ITEM;
  if (i + 4u <= n) {
    vstore4(vload4(0, x + i), 0, y + i);
  } else {
    for (; i < n; i++) y[i] = x[i];
  }
}

/* y = a + b: the residual connection, and the gradient of a tensor that two layers read. y may be a or b. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void add(__global const float *a, __global const float *b, __global float *y, uint n) {
  ITEM;
  if (i + 4u <= n) {
    vstore4(vload4(0, a + i) + vload4(0, b + i), 0, y + i);
  } else {
    for (; i < n; i++) y[i] = a[i] + b[i];
  }
}

/* y[i] += bias[i div pixels mod channels], in place. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void bias_add(__global float *restrict y, __global const float *restrict bias, uint n, uint channels, uint pixels) {
  uint i = get_group_id(0) * 256u + get_local_id(0);
  if (i < n) y[i] += bias[i / pixels % channels];
}

/* Stochastic gradient descent with momentum: v = momentum · v + g + decay · w, then w −= rate · v. velocity may be null
   (no momentum). Work-group 256, one element a work-item. */
__kernel __attribute__((reqd_work_group_size(256, 1, 1)))
void sgd_update(__global float *restrict w, __global const float *restrict gradient, __global float *restrict velocity,
                uint n, float rate, float momentum, float decay) {
  uint i = get_group_id(0) * 256u + get_local_id(0);
  if (i >= n) return;
  float old = w[i], step = gradient[i] + decay * old;
  if (velocity) {
    step += momentum * velocity[i];
    velocity[i] = step;
  }
  w[i] = old - rate * step;
}
