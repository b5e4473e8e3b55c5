"""DNN layers as kernels on the simulated GPU, dense and with Spartan."""
