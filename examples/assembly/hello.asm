; A program per call, without a library: the event on stdin, the answer on stdout, the exit status and stderr when it
; fails. The environment lies on the stack, behind the arguments.
bits 64
default rel

%define SYS_READ 0
%define SYS_WRITE 1
%define SYS_EXIT 60
%define STDOUT 1
%define STDERR 2
%define EVENT_BYTES_MAX 8 << 20

%macro text 2+
%1:         db %2
%1_bytes    equ $ - %1
%endmacro

; put DESCRIPTOR, NAME: writes a `text`
%macro put 2
        mov     edi, %1
        lea     rsi, [%2]
        mov     edx, %2_bytes
        call    write_all
%endmacro

; when NAME, LABEL: goes there if the event begins with the text
%macro when 2
        lea     rsi, [%1]
        lea     rdi, [event]
        mov     ecx, %1_bytes
        repe    cmpsb
        je      %2
%endmacro

section .rodata
        text    name_begins, '{"name":"'
        text    fail_begins, '{"fail":"'
        text    context_begins, '{"context":'
        text    count_begins, '{"count":'
        text    hello, '{"message":"Hello, '
        text    hello_ends, '!"}'
        text    id, '{"request_id":"'
        text    id_ends, '"}'
        text    count, '{"count":'
        text    count_ends, '}'
        text    line_feed, 10
        text    variable, 'LAMBDA_RUNTIME_AWS_REQUEST_ID='

section .data
calls:  db      '0'

section .bss
event:  resb    EVENT_BYTES_MAX

section .text
global _start

_start:
        mov     r15, [rsp]              ; how many arguments
        lea     r15, [rsp + r15*8 + 16] ; the first variable
        xor     r12d, r12d              ; bytes of the event
.read:
        xor     eax, eax                ; SYS_READ
        xor     edi, edi
        lea     rsi, [event]
        add     rsi, r12
        mov     edx, EVENT_BYTES_MAX
        sub     rdx, r12
        syscall
        test    rax, rax
        jle     .have_event
        add     r12, rax
        jmp     .read
.have_event:
        when    name_begins, greet
        when    fail_begins, fail
        when    context_begins, context
        when    count_begins, count_calls
        mov     edi, STDOUT
        lea     rsi, [event]
        mov     rdx, r12
        call    write_all
        jmp     succeed

greet:
        put     STDOUT, hello
        mov     edi, STDOUT
        call    write_value
        put     STDOUT, hello_ends
        jmp     succeed

fail:
        mov     edi, STDERR
        call    write_value
        put     STDERR, line_feed
        mov     edi, 1
        jmp     exit

count_calls:
        inc     byte [calls]
        put     STDOUT, count
        mov     edi, STDOUT
        lea     rsi, [calls]
        mov     edx, 1
        call    write_all
        put     STDOUT, count_ends
        jmp     succeed

context:
        mov     rdi, [r15]
        test    rdi, rdi
        jz      .unset
        add     r15, 8
        mov     rbx, rdi
        lea     rsi, [variable]
        mov     ecx, variable_bytes
        repe    cmpsb
        jne     context
        mov     r13, rdi                ; the value
        xor     eax, eax
        mov     rcx, -1
        repne   scasb
        lea     r14, [rdi - 1]
        sub     r14, r13                ; its length
        put     STDOUT, id
        mov     edi, STDOUT
        mov     rsi, r13
        mov     rdx, r14
        call    write_all
        put     STDOUT, id_ends
        jmp     succeed
.unset:
        mov     edi, 2
        jmp     exit

succeed:
        xor     edi, edi
exit:
        mov     eax, SYS_EXIT
        syscall

; What stands between {"name":" (as long as {"fail":") and "} of the event, to descriptor edi.
write_value:
        lea     rsi, [event + name_begins_bytes]
        lea     rdx, [r12 - name_begins_bytes - 2]
        ; goes on into write_all

; rdx bytes at rsi to descriptor edi.
write_all:
        test    rdx, rdx
        jle     .done
        mov     eax, SYS_WRITE
        syscall
        test    rax, rax
        jle     .done
        add     rsi, rax
        sub     rdx, rax
        jmp     write_all
.done:
        ret
