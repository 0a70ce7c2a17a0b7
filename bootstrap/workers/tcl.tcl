# The Tcl worker: loads the handler once and serves invocations as docs/worker-protocol.md says.
#
# `hello.handler` is procedure `handler` of hello.tcl; it gets the event and the context (a dict), and its result is the
# response. Both are text, but an event that is not JSON, and a response whose type is declared to be neither text nor JSON
# by `lambda::content_type TYPE`, are bytes. `lambda::write PIECE` sends a piece of a streamed response at once; the result
# is then ignored.

namespace eval lambda {
    variable response_type {}
    # "none" or "begun" while a handler runs.
    variable stream {}

    proc content_type {type} {
        variable response_type $type
    }

    proc write {piece} {
        variable response_type
        variable stream
        if {$stream eq {}} { return -code error "lambda::write: no invocation is running" }
        set piece [worker::encode $response_type $piece]
        if {$stream eq {begun}} {
            worker::send chunk {} $piece
        } else {
            worker::send stream [worker::type_head $response_type] $piece
            set stream begun
        }
        return
    }

    proc remaining_time_in_millis {context} {
        return [expr {max(0, [dict get $context deadline_ms] - [clock milliseconds])}]
    }
}

namespace eval lambda::worker {
    # Tcl makes its channels close-on-exec.
    variable requests [open [expr {$::argc > 0 ? [lindex $::argv 0] : "/dev/fd/3"}] r]
    variable replies [open [expr {$::argc > 0 ? [lindex $::argv 1] : "/dev/fd/4"}] w]
    set ::argv {}
    set ::argc 0
    variable owner [pid]
    fconfigure $requests -translation binary -buffering full -buffersize 65536
    fconfigure $replies -translation binary -buffering full -buffersize 65536

    # A process that the handler forked and that came back here ends: the channel is not its own.
    proc check_owner {} {
        variable owner
        if {[pid] != $owner} { exit 0 }
    }

    proc send {kind head body} {
        variable replies
        check_owner
        catch {flush stdout}
        puts -nonewline $replies "$kind [string length $head] [string length $body]\n"
        puts -nonewline $replies $head
        puts -nonewline $replies $body
        flush $replies
    }

    # The next request as a list of fields and event, or an empty one when there will be no more.
    proc receive {} {
        variable requests
        if {[gets $requests line] < 0} { return {} }
        lassign $line kind head_bytes body_bytes
        set fields {}
        foreach pair [split [string trimright [encoding convertfrom utf-8 [read $requests $head_bytes]] \n] \n] {
            set equals [string first = $pair]
            dict set fields [string range $pair 0 $equals-1] [string range $pair $equals+1 end]
        }
        return [list $fields [read $requests $body_bytes]]
    }

    proc refuse {kind type message stack} {
        puts stderr "\[ERROR\] $type: $message\n$stack"
        set message [encoding convertto utf-8 $message]
        set head "type=[string map {\n { } \r { }} $type]\nmessage_bytes=[string length $message]\n"
        send $kind [encoding convertto utf-8 $head] "$message\n[encoding convertto utf-8 $stack]"
    }

    # The stack of an error without what is the worker's own.
    proc stack {options} {
        set lines {}
        if {![dict exists $options -errorinfo]} { return {} }
        foreach line [lrange [split [dict get $options -errorinfo] \n] 1 end] {
            if {[string match {*invoked from within*} $line]} continue
            if {[string match {*lambda::worker*} $line] || [string match {*"uplevel*} $line]} break
            lappend lines [string trim $line]
        }
        return [join $lines \n]
    }

    # What is the same in every context: to read a variable of the environment is slow.
    variable function_context {}
    foreach {name variable} {function_name FUNCTION_NAME function_version FUNCTION_VERSION
        memory_limit_in_mb FUNCTION_MEMORY_SIZE log_group_name LOG_GROUP_NAME log_stream_name LOG_STREAM_NAME} {
        dict set function_context $name {}
        if {[info exists ::env(AWS_LAMBDA_$variable)]} {
            dict set function_context $name $::env(AWS_LAMBDA_$variable)
        }
    }

    proc context {fields} {
        variable function_context
        set context $function_context
        foreach {name field} {aws_request_id request_id deadline_ms deadline_ms trace_id trace_id
            invoked_function_arn invoked_function_arn client_context client_context identity cognito_identity
            tenant_id tenant_id content_type content_type} {
            dict set context $name [expr {[dict exists $fields $field] ? [dict get $fields $field] : {}}]
        }
        return $context
    }

    # The name of the handler's procedure.
    proc load {name} {
        global env
        if {![regexp {^(.+)\.([\w:]+)$} $name -> file procedure]} {
            return -code error -errorcode Runtime.MalformedHandlerName "Bad handler '$name': it is no script.procedure"
        }
        set root [expr {[info exists env(LAMBDA_TASK_ROOT)] ? $env(LAMBDA_TASK_ROOT) : "."}]
        lappend ::auto_path $root
        set path $root/$file.tcl
        if {![file isfile $path]} {
            return -code error -errorcode Runtime.ImportModuleError "Unable to load '$file': there is no $path"
        }
        uplevel #0 [list source -encoding utf-8 $path]
        if {[info procs ::$procedure] eq {} && [info commands ::$procedure] eq {}} {
            return -code error -errorcode Runtime.HandlerNotFound "Handler '$procedure' is no procedure of $path"
        }
        return ::$procedure
    }

    # The handler may end by `return -code break`, which has no code of an error; and a code may be no list.
    proc type_of {options} {
        if {[catch {lindex [dict get $options -errorcode] 0} type] || $type in {NONE {}}} { return Error }
        return $type
    }

    proc encode {type text} {
        if {$type eq {} || [string match text/* $type] || [string match application/json* $type]} {
            return [encoding convertto utf-8 $text]
        }
        return $text
    }

    proc type_head {type} {
        return [expr {$type eq {} ? {} : "content_type=[string map {\n { } \r { }} $type]\n"}]
    }

    # What waits for a later `vwait` would write into another invocation's response.
    proc forget_timers {} {
        variable kept_timers
        foreach timer [after info] {
            if {$timer ni $kept_timers} { after cancel $timer }
        }
    }

    proc serve_one {handler fields event} {
        global env
        variable kept_timers
        if {[dict exists $fields trace_id]} {
            set env(_X_AMZN_TRACE_ID) [dict get $fields trace_id]
        } else {
            unset -nocomplain env(_X_AMZN_TRACE_ID)
        }
        set json [expr {![dict exists $fields content_type] || [dict get $fields content_type] eq {application/json}}]
        if {$json} { set event [encoding convertfrom utf-8 $event] }
        lambda::content_type {}
        set ::lambda::stream none
        set failed [catch {uplevel #0 [list $handler $event [context $fields]]} result options]
        set streamed [expr {$::lambda::stream eq {begun}}]
        set ::lambda::stream {}
        if {[after info] ne $kept_timers} forget_timers
        if {$failed} {
            refuse error [type_of $options] $result [stack $options]
            return
        }
        if {$streamed} { return [send end {} {}] }
        set type $::lambda::response_type
        send result [type_head $type] [encode $type $result]
    }

    proc serve {} {
        global env
        if {[catch {load $env(_HANDLER)} handler options]} {
            refuse init-error [type_of $options] $handler [stack $options]
            exit 1
        }
        variable kept_timers [after info]
        send ready {} {}
        while {[llength [set request [receive]]] > 0} {
            serve_one $handler {*}$request
            unset request
        }
    }
}

fconfigure stdout -encoding utf-8 -buffering none
fconfigure stderr -encoding utf-8
lambda::worker::serve
