@echo off
echo effconv: EffConv's native libraries are built for Linux on x86-64 only: run it in WSL 2 or a Linux container. 1>&2
exit /b 1
