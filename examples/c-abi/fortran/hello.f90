! Greets whoever the event names; fails and tells its context when asked to; returns any other event as it came.
program hello
  use ogni, only: runtime, ok, fatal
  implicit none
  type(runtime) :: lambda
  character(len=:), allocatable :: event
  character(len=24) :: number
  integer :: status

  if (.not. lambda%open('hello-fortran/1')) error stop 1
  do while (lambda%next() == ok)
    event = lambda%event()
    if (index(event, '{"name":"') == 1) then
      status = lambda%respond('{"message":"Hello, ' // quoted() // '!"}')
    else if (index(event, '{"fail":"') == 1) then
      status = lambda%fail('Example.Failed', quoted())
    else if (index(event, '{"context":') == 1) then
      write (number, '(i0)') lambda%remaining_ms()
      status = lambda%respond('{"request_id":"' // lambda%request_id() // '","remaining_ms":' // trim(number) // '}')
    else
      status = lambda%respond(event)
    end if
    if (status == fatal) exit
  end do
  error stop 1

contains

  ! VALUE of {"name":"VALUE"} or {"fail":"VALUE"}
  function quoted() result(text)
    character(len=:), allocatable :: text
    text = event(10:len(event) - 2)
  end function quoted

end program hello
